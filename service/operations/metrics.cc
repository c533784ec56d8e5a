#include "service/operations/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace pcap_gateway {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

prometheus::MetricType TypeOf(Metric::Type type) {
  switch (type) {
    case Metric::Type::kCounter:
      return prometheus::MetricType::Counter;
    case Metric::Type::kGauge:
      return prometheus::MetricType::Gauge;
    case Metric::Type::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

// Prometheus counts in each bucket what is in those before it, too.
ClientMetric::Histogram HistogramOf(const HistogramSnapshot& snapshot) {
  ClientMetric::Histogram histogram;
  histogram.sample_sum = snapshot.sum;
  for (size_t i = 0; i < snapshot.counts.size(); ++i) {
    histogram.sample_count += snapshot.counts[i];
    const double bound =
        i < snapshot.bounds.size() ? snapshot.bounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = histogram.sample_count, .upper_bound = bound});
  }
  return histogram;
}

// The family that the metric belongs to; made when there is none yet.
MetricFamily& FamilyOf(const Metric& metric, std::vector<MetricFamily>& families) {
  const auto found =
      std::find_if(families.begin(), families.end(),
                   [&](const MetricFamily& family) { return family.name == metric.name; });
  if (found != families.end()) return *found;
  return families.emplace_back(MetricFamily{
      .name = metric.name, .help = metric.help, .type = TypeOf(metric.type), .metric = {}});
}

ClientMetric LabelledAs(const Metric& metric) {
  ClientMetric sample;
  for (const auto& [name, value] : metric.labels) sample.label.push_back({name, value});
  return sample;
}

void SetValue(ClientMetric& sample, Metric::Type type, double value) {
  (type == Metric::Type::kCounter ? sample.counter.value : sample.gauge.value) = value;
}

void AddSamplesOf(const Metric& metric, std::vector<ClientMetric>& samples) {
  if (metric.each) {
    for (auto& [which, value] : metric.each()) {
      ClientMetric& sample = samples.emplace_back(LabelledAs(metric));
      sample.label.push_back({metric.each_label, std::move(which)});
      SetValue(sample, metric.type, value);
    }
    return;
  }
  ClientMetric& sample = samples.emplace_back(LabelledAs(metric));
  if (metric.type == Metric::Type::kHistogram) {
    sample.histogram = HistogramOf(metric.histogram());
  } else {
    SetValue(sample, metric.type, metric.value());
  }
}

}  // namespace

std::string Metrics::Text() const {
  std::vector<MetricFamily> families;
  for (const Metric& metric : metrics_) {
    AddSamplesOf(metric, FamilyOf(metric, families).metric);
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace pcap_gateway
