#include "service/operations/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace pcap_gateway {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

// The family that the metric belongs to; made when there is none yet.
MetricFamily& FamilyOf(const Metric& metric, std::vector<MetricFamily>& families) {
  const auto found =
      std::find_if(families.begin(), families.end(),
                   [&](const MetricFamily& family) { return family.name == metric.name; });
  if (found != families.end()) return *found;
  return families.emplace_back(MetricFamily{.name = metric.name,
                                            .help = metric.help,
                                            .type = metric.type == Metric::Type::kCounter
                                                        ? prometheus::MetricType::Counter
                                                        : prometheus::MetricType::Gauge,
                                            .metric = {}});
}

ClientMetric SampleOf(const Metric& metric) {
  ClientMetric sample;
  for (const auto& [name, value] : metric.labels) sample.label.push_back({name, value});
  (metric.type == Metric::Type::kCounter ? sample.counter.value : sample.gauge.value) =
      metric.value();
  return sample;
}

}  // namespace

std::string Metrics::Text() const {
  std::vector<MetricFamily> families;
  for (const Metric& metric : metrics_) {
    FamilyOf(metric, families).metric.push_back(SampleOf(metric));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace pcap_gateway
