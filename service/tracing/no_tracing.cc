#include "absl/status/status.h"
#include "service/tracing/tracing.h"

namespace pcap_gateway {

bool HasTracing() { return false; }

absl::StatusOr<std::unique_ptr<Tracing>> Tracing::Start(const TracingOptions&) {
  return absl::UnimplementedError("this build has no OpenTelemetry");
}

}  // namespace pcap_gateway
