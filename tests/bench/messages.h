// MessageCounter: how many messages have come in a stream of answers.
#ifndef PCAP_GATEWAY_TESTS_BENCH_MESSAGES_H_
#define PCAP_GATEWAY_TESTS_BENCH_MESSAGES_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pcap_gateway::bench {

class MessageCounter {
 public:
  // The next bytes of the stream. Returns how many messages are whole with them.
  int64_t Add(std::string_view bytes) {
    int64_t whole = 0;
    while (!bytes.empty()) {
      if (prefix_bytes_ < prefix_.size()) {
        prefix_[prefix_bytes_++] = static_cast<uint8_t>(bytes.front());
        bytes.remove_prefix(1);
        if (prefix_bytes_ < prefix_.size()) continue;
        for (size_t n = 1; n < prefix_.size(); ++n) left_ = left_ << 8 | prefix_[n];
      }
      const size_t part = std::min<size_t>(left_, bytes.size());
      bytes.remove_prefix(part);
      left_ -= static_cast<uint32_t>(part);
      if (left_ > 0) break;
      prefix_bytes_ = 0;
      ++whole;
    }
    return whole;
  }

 private:
  std::array<uint8_t, 5> prefix_ = {};  // of gRPC: not compressed, and the length
  size_t prefix_bytes_ = 0;             // that have come
  uint32_t left_ = 0;                   // of the message; 0 before its prefix is there
};

}  // namespace pcap_gateway::bench

#endif  // PCAP_GATEWAY_TESTS_BENCH_MESSAGES_H_
