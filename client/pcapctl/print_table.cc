#include "client/pcapctl/print_table.h"

#include <google/protobuf/util/json_util.h>

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/pcapctl/age.h"
#include "client/pcapctl/human_duration.h"
#include "client/pcapctl/ip_protocol.h"
#include "client/pcapctl/table.h"

namespace pcap_client {
namespace {

using pcap::v1::FullPcap;
using pcap::v1::Pcap;
using pcap::v1::PcapFilter;
using pcap::v1::PcapStatus;
using pcap::v1::PcapSystem;
using pcap::v1::ResponseInfo;
using pcap::v1::SimplePcap;

// An empty text would look like an absent one.
absl::string_view Shown(absl::string_view text) { return text.empty() ? R"("")" : text; }

std::string Shown(const google::protobuf::Duration& duration) {
  return HumanDuration(absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos()));
}

std::string ByteCount(int64_t count) {
  return absl::StrCat(count, count == 1 ? " byte" : " bytes");
}

// The enum value as Cloudflare spells it; its number if this version does not know it.
std::string Spelled(const std::string& name, absl::string_view prefix, int number,
                    char word_separator) {
  if (name.empty()) return absl::StrCat(number, " (not known to this pcapctl)");
  std::string word(absl::StripPrefix(name, prefix));
  absl::AsciiStrToLower(&word);
  return absl::StrReplaceAll(word, {{"_", std::string(1, word_separator)}});
}

std::string Spelled(PcapSystem system) {
  return Spelled(PcapSystem_Name(system), "PCAP_SYSTEM_", system, '-');
}

std::string ProtocolText(uint32_t number) {
  const absl::string_view name = IpProtocolName(number);
  return name.empty() ? absl::StrCat(number) : absl::StrCat(number, " (", name, ")");
}

void AddFilter(const PcapFilter& filter, Table& table) {
  const bool all = !filter.has_source_address() && !filter.has_source_port() &&
                   !filter.has_destination_address() && !filter.has_destination_port() &&
                   !filter.has_protocol();
  if (all) return table.Row("Filter", "none: all packets");
  table.Section("Filter");
  if (filter.has_source_address()) table.SubRow("Source address", Shown(filter.source_address()));
  if (filter.has_source_port()) table.SubRow("Source port", absl::StrCat(filter.source_port()));
  if (filter.has_destination_address()) {
    table.SubRow("Destination address", Shown(filter.destination_address()));
  }
  if (filter.has_destination_port()) {
    table.SubRow("Destination port", absl::StrCat(filter.destination_port()));
  }
  if (filter.has_protocol()) table.SubRow("Protocol", ProtocolText(filter.protocol()));
}

// What leads the table of either form.
template <typename Form>
void AddIdentity(const Form& form, absl::string_view name, Table& table) {
  if (form.has_id()) table.Row("Id", Shown(form.id()));
  table.Row("Form", name);
  if (form.status() != pcap::v1::PCAP_STATUS_UNSPECIFIED) {
    table.Row("Status", StatusText(form.status()), ToneOf(form.status()));
  }
}

template <typename Form>
void AddOrigin(const Form& form, absl::Time now, Table& table) {
  if (form.system() != pcap::v1::PCAP_SYSTEM_UNSPECIFIED) {
    table.Row("System", Spelled(form.system()));
  }
  if (form.has_submitted()) table.Row("Submitted", WithAge(TimeText(form.submitted()), now));
}

void AddForm(const SimplePcap& pcap, absl::Time now, Table& table) {
  AddIdentity(pcap, "simple", table);
  AddOrigin(pcap, now, table);
  if (pcap.has_offset_time()) table.Row("Offset time", WithAge(TimeText(pcap.offset_time()), now));
  if (pcap.has_time_limit()) table.Row("Time limit", Shown(pcap.time_limit()));
  if (pcap.has_filter_v1()) AddFilter(pcap.filter_v1(), table);
}

void AddForm(const FullPcap& pcap, absl::Time now, Table& table) {
  AddIdentity(pcap, "full", table);
  if (pcap.has_error_message()) table.Row("Error message", Shown(pcap.error_message()));
  AddOrigin(pcap, now, table);
  if (pcap.has_stop_requested()) {
    table.Row("Stop requested", WithAge(TimeText(pcap.stop_requested()), now));
  }
  if (pcap.has_time_limit()) table.Row("Time limit", Shown(pcap.time_limit()));
  if (pcap.has_byte_limit()) table.Row("Byte limit", ByteCount(pcap.byte_limit()));
  if (pcap.has_packets_captured()) {
    table.Row("Packets captured", absl::StrCat(pcap.packets_captured()));
  }
  if (pcap.has_colo_name()) table.Row("Data center", Shown(pcap.colo_name()));
  if (pcap.has_destination_conf()) table.Row("Destination", Shown(pcap.destination_conf()));
  if (pcap.has_filter_v1()) AddFilter(pcap.filter_v1(), table);
}

// JSON in one line, so that "5" and 5 look different.
std::string JsonText(const google::protobuf::Value& value) {
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(value, &json).ok()) return "(not JSON)";
  return json;
}

void AddExtraFields(const google::protobuf::Struct& extra_fields, Table& table) {
  // The proto's map has no order; people compare outputs.
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : extra_fields.fields()) sorted[name] = JsonText(value);
  if (sorted.empty()) return;
  table.Section("Extra fields");
  for (const auto& [name, json] : sorted) table.SubRow(Shown(name), json);
}

void AddMessage(const ResponseInfo& message, Table& table) {
  std::string text(Shown(message.message()));
  if (message.has_source_pointer()) absl::StrAppend(&text, ", at ", message.source_pointer());
  if (message.has_documentation_url()) {
    absl::StrAppend(&text, " (see ", message.documentation_url(), ")");
  }
  table.SubRow(message.has_code() ? absl::StrCat(message.code()) : "-", text);
}

std::string CacheText(const AnswerInfo& info) {
  std::string text = info.cache_status.empty() ? "not said" : info.cache_status;
  if (info.age.has_value()) absl::StrAppend(&text, "; age ", HumanDuration(*info.age));
  return text;
}

}  // namespace

std::string StatusText(PcapStatus status) {
  return Spelled(PcapStatus_Name(status), "PCAP_STATUS_", status, '_');
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  const absl::Time at = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", at, absl::UTCTimeZone());
}

std::string PcapTable(const GetPcapAnswer& answer, absl::Time now, const Palette& palette) {
  Table table;
  const Pcap& pcap = answer.response.pcap();
  switch (pcap.form_case()) {
    case Pcap::kSimple:
      AddForm(pcap.simple(), now, table);
      break;
    case Pcap::kFull:
      AddForm(pcap.full(), now, table);
      break;
    case Pcap::FORM_NOT_SET:
      table.Row("Form", "not known");
      break;
  }
  AddExtraFields(pcap.extra_fields(), table);
  if (answer.response.messages_size() > 0) table.Section("Messages");
  for (const ResponseInfo& message : answer.response.messages()) AddMessage(message, table);
  table.Row("Cache", CacheText(answer.info));
  return table.Text(palette);
}

}  // namespace pcap_client
