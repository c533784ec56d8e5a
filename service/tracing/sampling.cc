#include "service/tracing/sampling.h"

#include "absl/status/status.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {

absl::StatusOr<Sampling> SamplingFrom(absl::string_view name) {
  Sampling sampling;
  if (name.empty()) return sampling;
  sampling.by_parent = absl::ConsumePrefix(&name, "parentbased_");
  if (name == "always_on" || name == "traceidratio") return sampling;
  if (name == "always_off") {
    sampling.share = 0;
    return sampling;
  }
  return absl::InvalidArgumentError(
      "must be `always_on`, `always_off` or `traceidratio`, or one of these after `parentbased_`");
}

bool TakesShare(absl::string_view name) {
  absl::ConsumePrefix(&name, "parentbased_");
  return name == "traceidratio";
}

}  // namespace pcap_gateway
