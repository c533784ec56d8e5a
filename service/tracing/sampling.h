// Sampling: which calls have spans, in the words of OpenTelemetry's OTEL_TRACES_SAMPLER.
#ifndef PCAP_GATEWAY_SERVICE_TRACING_SAMPLING_H_
#define PCAP_GATEWAY_SERVICE_TRACING_SAMPLING_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

struct Sampling {
  // The caller's sampled flag decides, where its call carries a `traceparent`.
  bool by_parent = true;
  // Of the other calls this share has spans, from 0 to 1.
  double share = 1;

  friend bool operator==(const Sampling& a, const Sampling& b) = default;
};

// `name`: always_on, always_off, traceidratio, or one of these after `parentbased_`; absent (an
// empty text): parentbased_always_on. The error says which there are, as the end of a sentence.
absl::StatusOr<Sampling> SamplingFrom(absl::string_view name);

// Whether the sampler of that name has a share to be told (OTEL_TRACES_SAMPLER_ARG).
bool TakesShare(absl::string_view name);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_TRACING_SAMPLING_H_
