// MetricSamples: the figures on a page of metrics, by name.
//
//   const MetricSamples samples(page);
//   return samples.Sum("pcap_gateway_cache_hits_total");
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_METRIC_SAMPLES_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_METRIC_SAMPLES_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace pcap_client {

class MetricSamples {
 public:
  // `page`: in Prometheus' text format. Lines that are no samples are passed over.
  explicit MetricSamples(absl::string_view page);

  // Of all series of that name; `label`, such as `reason="error"`: of those alone that have it.
  // Absent: there are none.
  std::optional<double> Sum(absl::string_view name, absl::string_view label = "") const;

  // By series as the page names them: `name` or `name{label="value",…}`.
  const std::map<std::string, double>& series() const { return series_; }

 private:
  std::map<std::string, double> series_;
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_METRIC_SAMPLES_H_
