#include "service/rpc/create_request.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {
namespace {

using pcap::v1::CreateFullPcap;
using pcap::v1::CreateSimplePcap;
using pcap::v1::PcapFilter;

constexpr int64_t kNoMost = std::numeric_limits<int64_t>::max();
constexpr size_t kMostColoName = 64;
constexpr size_t kMostRequestId = 64;
// A caller's clock may be ahead of ours by as much.
constexpr absl::Duration kClockSkew = absl::Minutes(1);

// An IPv4 or IPv6 address, perhaps with the length of a prefix.
bool IsAddress(const std::string& text) {
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  int most = 0;
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) {
    most = 32;
  } else if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) {
    most = 128;
  }
  // An embedded zero would end it early for inet_pton.
  if (most == 0 || address.find('\0') != std::string::npos) return false;
  if (slash == std::string::npos) return true;
  int length = -1;
  const std::string digits = text.substr(slash + 1);
  return !digits.empty() && digits.size() <= 3 &&
         digits.find_first_not_of("0123456789") == std::string::npos &&
         absl::SimpleAtoi(digits, &length) && length <= most;
}

void CheckFilter(const PcapFilter& filter, absl::string_view prefix, RequestFields& fields) {
  const auto field = [&](absl::string_view name) { return absl::StrCat(prefix, name); };
  const auto check_address = [&](absl::string_view name, bool has, const std::string& address) {
    if (has && !IsAddress(address)) {
      fields.Violate(field(name), "must be an IPv4 or IPv6 address, or one with a prefix length");
    }
  };
  check_address("source_address", filter.has_source_address(), filter.source_address());
  check_address("destination_address", filter.has_destination_address(),
                filter.destination_address());
  if (filter.has_source_port()) {
    fields.CheckNumber(field("source_port"), filter.source_port(), 1, 65535);
  }
  if (filter.has_destination_port()) {
    fields.CheckNumber(field("destination_port"), filter.destination_port(), 1, 65535);
  }
  if (filter.has_protocol()) fields.CheckNumber(field("protocol"), filter.protocol(), 0, 255);
}

template <typename Form>
void CheckShared(const Form& form, int64_t most_seconds, const std::string& prefix,
                 RequestFields& fields) {
  fields.CheckSeconds(prefix + "time_limit", form.has_time_limit() ? &form.time_limit() : nullptr,
                      1, most_seconds);
  if (form.has_filter_v1()) CheckFilter(form.filter_v1(), prefix + "filter_v1.", fields);
  if (!pcap::v1::PcapSystem_IsValid(form.system())) {
    fields.Violate(prefix + "system", absl::StrCat("is ", static_cast<int>(form.system()),
                                                   ", which this gateway does not know"));
  }
}

void CheckOffset(const google::protobuf::Timestamp& offset, absl::Time now, RequestFields& fields) {
  constexpr char kField[] = "simple.offset_time";
  if (offset.nanos() < 0 || offset.nanos() > 999'999'999) {
    return fields.Violate(kField, "must be a valid timestamp");
  }
  const absl::Time time =
      absl::FromUnixSeconds(offset.seconds()) + absl::Nanoseconds(offset.nanos());
  if (time < now - absl::Hours(24) - kClockSkew || time > now + kClockSkew) {
    fields.Violate(kField, "must be within the last 24 hours");
  }
}

void CheckSimple(const CreateSimplePcap& pcap, absl::Time now, RequestFields& fields) {
  CheckShared(pcap, 300, "simple.", fields);
  fields.CheckNumber("simple.packet_limit", pcap.packet_limit(), 1, 10'000);
  if (pcap.has_offset_time()) CheckOffset(pcap.offset_time(), now, fields);
}

void CheckFull(const CreateFullPcap& pcap, RequestFields& fields) {
  CheckShared(pcap, absl::ToInt64Seconds(absl::Hours(24)), "full.", fields);
  fields.CheckText("full.colo_name", pcap.colo_name(), 1, kMostColoName);
  fields.CheckDestination("full.destination_conf", pcap.destination_conf());
  if (pcap.has_byte_limit()) {
    fields.CheckNumber("full.byte_limit", pcap.byte_limit(), 1, 1'000'000'000);
  }
  if (pcap.has_packet_limit()) {
    fields.CheckNumber("full.packet_limit", pcap.packet_limit(), 1, kNoMost);
  }
}

}  // namespace

void CheckCreate(const pcap::v1::CreatePcapRequest& request, absl::Time now,
                 RequestFields& fields) {
  switch (request.form_case()) {
    case pcap::v1::CreatePcapRequest::kSimple:
      CheckSimple(request.simple(), now, fields);
      break;
    case pcap::v1::CreatePcapRequest::kFull:
      CheckFull(request.full(), fields);
      break;
    case pcap::v1::CreatePcapRequest::FORM_NOT_SET:
      fields.Violate("form", "is required: simple or full");
      break;
  }
  fields.CheckText("request_id", request.request_id(), 0, kMostRequestId);
}

}  // namespace pcap_gateway
