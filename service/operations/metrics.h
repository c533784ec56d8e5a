// Metrics: what operators can count, read when somebody asks.
//
//   Metrics metrics;
//   metrics.Add({.name = "pcap_gateway_cache_hits_total",
//                .help = "Calls answered from the cache.",
//                .value = [&] { return cache.stats().hits.Value(); }});
//   return metrics.Text();
//
// Rooms keep plain counters of their own and know nothing of this; the composition names them here.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_METRICS_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_METRICS_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "service/base/histogram.h"

namespace pcap_gateway {

// One time series.
struct Metric {
  enum class Type { kCounter, kGauge, kHistogram };

  std::string name;  // series of one name share help and type
  std::string help;
  Type type = Type::kCounter;
  std::vector<std::pair<std::string, std::string>> labels;
  // Called on the thread that asks for the text; must not block. The first for counters and
  // gauges, the second for histograms.
  std::function<double()> value;
  std::function<HistogramSnapshot()> histogram;
  // In the place of `value`, where what there is to count comes and goes: values, each by what a
  // further label called `each_label` says. Bounded in number by who gives them.
  std::string each_label;
  std::function<std::vector<std::pair<std::string, double>>()> each;
};

// All Adds come before the first Text; Text is thread-safe.
class Metrics {
 public:
  void Add(Metric metric) { metrics_.push_back(std::move(metric)); }

  // In Prometheus' text format 0.0.4; names in the order in which they were first added.
  std::string Text() const;

 private:
  std::vector<Metric> metrics_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_METRICS_H_
