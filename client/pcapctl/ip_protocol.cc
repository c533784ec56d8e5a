#include "client/pcapctl/ip_protocol.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pcap_client {
namespace {

constexpr std::pair<uint32_t, absl::string_view> kNames[] = {
    {1, "ICMP"}, {2, "IGMP"}, {4, "IPv4"}, {6, "TCP"},        {17, "UDP"},  {41, "IPv6"},
    {47, "GRE"}, {50, "ESP"}, {51, "AH"},  {58, "IPv6-ICMP"}, {132, "SCTP"}};

constexpr uint32_t kMost = 255;

}  // namespace

absl::string_view IpProtocolName(uint32_t number) {
  for (const auto& [known, name] : kNames) {
    if (known == number) return name;
  }
  return "";
}

std::optional<uint32_t> IpProtocolNumber(absl::string_view text) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    if (number > kMost) return std::nullopt;
    return number;
  }
  for (const auto& [known, name] : kNames) {
    if (absl::EqualsIgnoreCase(name, text)) return known;
  }
  return std::nullopt;
}

std::string IpProtocolNames() {
  std::string names;
  for (const auto& [number, name] : kNames) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", absl::AsciiStrToLower(name));
  }
  return names;
}

}  // namespace pcap_client
