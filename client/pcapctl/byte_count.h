// A number of bytes as people write it.
//
//   ByteCount(1234) == "1.2 kB"
//   ByteCount(5'600'000) == "5.6 MB"
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_BYTE_COUNT_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_BYTE_COUNT_H_

#include <cstdint>
#include <string>

namespace pcap_client {

// With one decimal, cut off; bytes below 1000 in full.
std::string ByteCount(int64_t bytes);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_BYTE_COUNT_H_
