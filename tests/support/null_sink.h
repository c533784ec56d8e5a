// NullSink: takes any body, and does nothing with it.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_NULL_SINK_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_NULL_SINK_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "service/source/body_sink.h"

namespace pcap_gateway {

struct NullSink final : BodySink {
  void Begin(std::optional<int64_t>) override {}
  bool Take(absl::string_view, Resume) override { return true; }
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_NULL_SINK_H_
