#include "service/mapping/pcap_to_json.h"

#include <nlohmann/json.hpp>

#include "absl/time/time.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;

json JsonOf(const pcap::v1::PcapFilter& filter) {
  json made = json::object();
  if (filter.has_source_address()) made["source_address"] = filter.source_address();
  if (filter.has_source_port()) made["source_port"] = filter.source_port();
  if (filter.has_destination_address()) made["destination_address"] = filter.destination_address();
  if (filter.has_destination_port()) made["destination_port"] = filter.destination_port();
  if (filter.has_protocol()) made["protocol"] = filter.protocol();
  return made;
}

// There is one system as yet, which is what an unspecified one means.
template <typename Form>
json Begun(const char* type, const Form& form) {
  json made = {
      {"type", type}, {"system", "magic-transit"}, {"time_limit", form.time_limit().seconds()}};
  if (form.has_filter_v1()) made["filter_v1"] = JsonOf(form.filter_v1());
  return made;
}

// Never throws: what is not UTF-8, which protobuf does not let through, is replaced.
std::string TextOf(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string JsonOf(const pcap::v1::CreateSimplePcap& pcap) {
  json made = Begun("simple", pcap);
  made["packet_limit"] = pcap.packet_limit();
  if (pcap.has_offset_time()) {
    const absl::Time time = absl::FromUnixSeconds(pcap.offset_time().seconds()) +
                            absl::Nanoseconds(pcap.offset_time().nanos());
    made["offset_time"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone());
  }
  return TextOf(made);
}

std::string JsonOf(const pcap::v1::CreateFullPcap& pcap) {
  json made = Begun("full", pcap);
  made["colo_name"] = pcap.colo_name();
  made["destination_conf"] = pcap.destination_conf();
  if (pcap.has_byte_limit()) made["byte_limit"] = pcap.byte_limit();
  if (pcap.has_packet_limit()) made["packet_limit"] = pcap.packet_limit();
  return TextOf(made);
}

std::string JsonOf(const pcap::v1::CreateOwnershipRequest& request) {
  return TextOf({{"destination_conf", request.destination_conf()}});
}

std::string JsonOf(const pcap::v1::ValidateOwnershipRequest& request) {
  return TextOf({{"destination_conf", request.destination_conf()},
                 {"ownership_challenge", request.ownership_challenge()}});
}

}  // namespace pcap_gateway
