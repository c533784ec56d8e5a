// A property: whatever fields a capture has, each value comes out exactly once, typed or extra, and
// nothing else comes out.
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/mapping/pcap_from_json.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using google::protobuf::Value;
using pcap::v1::Pcap;

// A value in JSON, and how it may come out.
struct Sample {
  std::string json;
  std::string extra;            // as an extra field, written by Show(Value)
  std::set<std::string> typed;  // as a typed field, written by Typed::Add...
};

std::string Show(const Value& value) {
  switch (value.kind_case()) {
    case Value::kNumberValue:
      return absl::StrFormat("number %.17g", value.number_value());
    case Value::kStringValue:
      return "string " + value.string_value();
    case Value::kBoolValue:
      return value.bool_value() ? "true" : "false";
    case Value::kListValue: {
      std::string text = "[";
      for (const Value& element : value.list_value().values())
        absl::StrAppend(&text, Show(element), ",");
      return text + "]";
    }
    case Value::kStructValue: {
      std::map<std::string, std::string> members;
      for (const auto& [name, member] : value.struct_value().fields()) members[name] = Show(member);
      std::string text = "{";
      for (const auto& [name, member] : members) absl::StrAppend(&text, name, ":", member, ",");
      return text + "}";
    }
    default:
      return "null";
  }
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

  template <typename T>
  T Any(const std::vector<T>& from) {
    return from[Below(static_cast<int>(from.size()))];
  }

  Sample AnySample() {
    switch (Below(7)) {
      case 0:
        return Text();
      case 1:
        return Whole();
      case 2:
        return Fraction();
      case 3:
        return Time();
      case 4:
        return Known();
      case 5:
        return Huge();
      default:
        return Container();
    }
  }

 private:
  Sample Text() {
    const std::string text =
        Any<std::string>({"", "x", "1.2.3.4", "80", "ord02", "r2://b?secret-access-key=k",
                          "caf\xC3\xA9", "running "});
    return {"\"" + text + "\"", "string " + text, {"text " + text}};
  }

  Sample Whole() {
    const int64_t value = Any<int64_t>({0, 1, -1, 6, 80, 65535, 4294967295, 4294967296, 500000,
                                        315576000000, 315576000001, (int64_t{1} << 53)});
    const std::string digits = absl::StrCat(value);
    return {Any<std::string>(
                {digits, digits + ".0", digits + "e0", digits + (value == 0 ? "E2" : "00E-2")}),
            absl::StrFormat("number %.17g", static_cast<double>(value)),
            {absl::StrCat("number ", value), absl::StrCat("duration ", value, ".000000000")}};
  }

  Sample Fraction() {
    const int whole = Below(1000);
    const int millis = 1 + Below(999);
    const std::string json = absl::StrFormat("%d.%03d", whole, millis);
    return {json,
            absl::StrFormat("number %.17g", std::stod(json)),
            {absl::StrFormat("duration %d.%09d", whole, millis * 1'000'000)}};
  }

  Sample Time() {
    const absl::Time time = absl::FromUnixMicros(std::uniform_int_distribution<int64_t>(
        -62135596800'000'000, 253402300799'999'999)(random_));
    const int hours = Below(24);
    const std::string text = absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone());
    const std::string shifted =
        absl::FormatTime("%E4Y-%m-%dt%H:%M:%E*S", time + absl::Hours(hours), absl::UTCTimeZone()) +
        absl::StrFormat("+%02d:00", hours);
    const bool fits = shifted.size() > 10 && shifted[4] == '-' && shifted[0] != '1';
    const std::string chosen = fits && Below(2) == 0 ? shifted : text;
    const int64_t seconds = absl::ToUnixSeconds(time);
    const int64_t nanos = absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds));
    return {"\"" + chosen + "\"",
            "string " + chosen,
            {"text " + chosen, absl::StrFormat("time %d.%09d", seconds, nanos)}};
  }

  Sample Known() {
    const std::string text = Any<std::string>({"success", "pending", "failed", "magic-transit"});
    return {"\"" + text + "\"", "string " + text, {"text " + text, "enum " + text}};
  }

  Sample Huge() {
    const std::string json = Any<std::string>(
        {"9007199254740993", "9223372036854775807", "18446744073709551616", "-1e400", "1e400"});
    return {json, "string " + json, {"number " + json}};
  }

  Sample Container() {
    const Sample inside = Below(4) == 0 ? Container() : Fraction();
    return Any<Sample>(
        {{"true", "true", {}},
         {"false", "false", {}},
         {"[null, " + inside.json + "]", "[null," + inside.extra + ",]", {}},
         {R"({"b": )" + inside.json + R"(, "a": null})", "{a:null,b:" + inside.extra + ",}", {}}});
  }

  std::mt19937_64 random_;
};

// Everything that a Pcap holds, by its JSON name.
class Contents {
 public:
  explicit Contents(const Pcap& pcap) {
    if (pcap.has_simple()) {
      AddShared(pcap.simple());
      if (pcap.simple().has_offset_time()) AddTime("offset_time", pcap.simple().offset_time());
    }
    if (pcap.has_full()) AddFull(pcap.full());
    for (const auto& [name, value] : pcap.extra_fields().fields()) Add(name, "extra", Show(value));
  }

  // Name → "typed text x" or "extra string x".
  const std::map<std::string, std::string>& all() const { return all_; }

 private:
  void Add(const std::string& name, const std::string& where, const std::string& value) {
    EXPECT_TRUE(all_.emplace(name, where + " " + value).second) << name << " came out twice";
  }
  void AddTyped(const std::string& name, const std::string& value) { Add(name, "typed", value); }

  template <typename Time>
  void AddTime(const std::string& name, const Time& time) {
    AddTyped(name, absl::StrFormat("time %d.%09d", time.seconds(), time.nanos()));
  }

  template <typename Form>
  void AddShared(const Form& form) {
    if (form.has_id()) AddTyped("id", "text " + form.id());
    if (form.has_submitted()) AddTime("submitted", form.submitted());
    if (form.has_time_limit()) {
      AddTyped("time_limit", absl::StrFormat("duration %d.%09d", form.time_limit().seconds(),
                                             form.time_limit().nanos()));
    }
    if (form.status() == pcap::v1::PCAP_STATUS_SUCCESS) AddTyped("status", "enum success");
    if (form.status() == pcap::v1::PCAP_STATUS_PENDING) AddTyped("status", "enum pending");
    if (form.status() == pcap::v1::PCAP_STATUS_FAILED) AddTyped("status", "enum failed");
    if (form.system() == pcap::v1::PCAP_SYSTEM_MAGIC_TRANSIT)
      AddTyped("system", "enum magic-transit");
    const auto& filter = form.filter_v1();
    if (filter.has_protocol()) AddNumber("filter_v1.protocol", filter.protocol());
    if (filter.has_source_port()) AddNumber("filter_v1.source_port", filter.source_port());
    if (filter.has_source_address()) {
      AddTyped("filter_v1.source_address", "text " + filter.source_address());
    }
  }

  void AddFull(const pcap::v1::FullPcap& full) {
    AddShared(full);
    if (full.has_byte_limit()) AddNumber("byte_limit", full.byte_limit());
    if (full.has_packets_captured()) AddNumber("packets_captured", full.packets_captured());
    if (full.has_colo_name()) AddTyped("colo_name", "text " + full.colo_name());
    if (full.has_destination_conf())
      AddTyped("destination_conf", "text " + full.destination_conf());
    if (full.has_error_message()) AddTyped("error_message", "text " + full.error_message());
    if (full.has_stop_requested()) AddTime("stop_requested", full.stop_requested());
  }

  void AddNumber(const std::string& name, int64_t number) {
    AddTyped(name, absl::StrCat("number ", number));
  }

  std::map<std::string, std::string> all_;
};

TEST(PcapFromJson, LosesNothingAndInventsNothing) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  RecordProperty("seed", absl::StrCat(seed));
  Generator generator(seed);
  const std::vector<std::string> names = {"id",
                                          "submitted",
                                          "time_limit",
                                          "status",
                                          "system",
                                          "offset_time",
                                          "byte_limit",
                                          "colo_name",
                                          "destination_conf",
                                          "error_message",
                                          "packets_captured",
                                          "stop_requested",
                                          "new_in_2030",
                                          "x"};
  const std::vector<std::string> filter_names = {"protocol", "source_port", "source_address",
                                                 "vlan"};
  int typed = 0;
  int extra = 0;
  for (int round = 0; round < 1000; ++round) {
    std::map<std::string, Sample> samples;
    const std::string type = generator.Any<std::string>({"simple", "full"});
    std::string json = R"({"type": ")" + type + "\"";
    for (const std::string& name : names) {
      if (generator.Below(2) == 0) continue;
      const Sample sample = generator.AnySample();
      samples[name] = sample;
      absl::StrAppend(&json, ", \"", name, "\": ", sample.json);
    }
    json += R"(, "filter_v1": {"nothing": null)";
    for (const std::string& name : filter_names) {
      const Sample sample = generator.AnySample();
      samples["filter_v1." + name] = sample;
      absl::StrAppend(&json, ", \"", name, "\": ", sample.json);
    }
    json += "}}";

    const JsonDocument document = Parsed(json);
    Pcap pcap;
    PcapFromJson(document.root(), Secrets::kReveal, pcap);
    const Contents contents(pcap);
    ASSERT_EQ(type == "simple", pcap.has_simple());
    ASSERT_EQ(contents.all().size(), samples.size()) << json << "\n" << pcap.DebugString();
    for (const auto& [name, sample] : samples) {
      const auto found = contents.all().find(name);
      ASSERT_NE(found, contents.all().end()) << name << " of " << json;
      std::set<std::string> expected = {"extra " + sample.extra};
      for (const std::string& value : sample.typed) expected.insert("typed " + value);
      ASSERT_TRUE(expected.count(found->second))
          << name << " of " << json << " came out as " << found->second;
      ++(found->second.front() == 't' ? typed : extra);
    }
  }
  // Both ways were taken often.
  EXPECT_GT(typed, 1000);
  EXPECT_GT(extra, 1000);
}

}  // namespace
}  // namespace pcap_gateway
