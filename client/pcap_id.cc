#include "pcap_client/pcap_id.h"

namespace pcap_client {

std::string IdOf(const pcap::v1::Pcap& pcap) {
  if (pcap.has_simple()) return pcap.simple().id();
  if (pcap.has_full()) return pcap.full().id();
  const auto& fields = pcap.extra_fields().fields();
  const auto id = fields.find("id");
  return id == fields.end() ? "" : id->second.string_value();
}

}  // namespace pcap_client
