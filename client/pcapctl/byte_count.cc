#include "client/pcapctl/byte_count.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace pcap_client {

std::string ByteCount(int64_t bytes) {
  constexpr std::pair<int64_t, const char*> kUnits[] = {
      {1'000'000'000'000, "TB"}, {1'000'000'000, "GB"}, {1'000'000, "MB"}, {1'000, "kB"}};
  for (const auto& [size, name] : kUnits) {
    if (bytes < size) continue;
    return absl::StrCat(bytes / size, ".", bytes % size * 10 / size, " ", name);
  }
  return absl::StrCat(bytes, bytes == 1 ? " byte" : " bytes");
}

}  // namespace pcap_client
