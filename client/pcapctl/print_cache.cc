#include "client/pcapctl/print_cache.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/table.h"

namespace pcap_client {
namespace {

std::string Count(double number) { return absl::StrCat(static_cast<int64_t>(number)); }

// "93 (4.5 %)"; without the share where there is nothing to have one of.
std::string WithShare(double part, double whole) {
  if (whole <= 0) return Count(part);
  return absl::StrFormat("%s (%.1f %%)", Count(part), 100 * part / whole);
}

// Rows of figures that the gateway may or may not have.
class Figures {
 public:
  Figures(const MetricSamples& samples, Table& table) : samples_(samples), table_(table) {}

  void Row(absl::string_view label, absl::string_view name, absl::string_view series_label = "") {
    const std::optional<double> number = samples_.Sum(name, series_label);
    if (number.has_value()) table_.SubRow(label, Count(*number));
  }

 private:
  const MetricSamples& samples_;
  Table& table_;
};

void AddCalls(const MetricSamples& samples, Figures& figures, Table& table) {
  const double hits = samples.Sum("pcap_gateway_cache_hits_total").value_or(0);
  const double misses = samples.Sum("pcap_gateway_cache_misses_total").value_or(0);
  table.Section("Calls");
  table.SubRow("Hits", WithShare(hits, hits + misses));
  table.SubRow("Misses", Count(misses));
  figures.Row("Collapsed", "pcap_gateway_cache_collapsed_total");
  figures.Row("Stale, revalidated", "pcap_gateway_cache_stale_total", R"(reason="revalidate")");
  figures.Row("Stale, on error", "pcap_gateway_cache_stale_total", R"(reason="error")");
}

void AddStore(const MetricSamples& samples, Figures& figures, Table& table) {
  const double bytes = samples.Sum("pcap_gateway_cache_bytes").value_or(0);
  const double limit = samples.Sum("pcap_gateway_cache_limit_bytes").value_or(0);
  table.Section("Store");
  figures.Row("Entries", "pcap_gateway_cache_entries");
  table.SubRow("Bytes", WithShare(bytes, limit));
  figures.Row("Limit, bytes", "pcap_gateway_cache_limit_bytes");
  figures.Row("Evictions", "pcap_gateway_cache_evictions_total");
}

void AddUpstream(Figures& figures, Table& table) {
  table.Section("Upstream");
  figures.Row("Requests", "pcap_gateway_upstream_requests_total");
  figures.Row("Calls saved", "pcap_gateway_upstream_calls_saved_total");
  figures.Row("Refreshes", "pcap_gateway_cache_refreshes_total");
  figures.Row("Confirmed final", "pcap_gateway_cache_confirmed_total");
}

void AddRedis(const MetricSamples& samples, Figures& figures, Table& table) {
  const std::optional<double> up = samples.Sum("pcap_gateway_redis_up");
  if (!up.has_value()) return;
  table.Section("Redis");
  table.SubRow("State", *up > 0 ? "up" : "down");
  figures.Row("Hits", "pcap_gateway_redis_hits_total");
  figures.Row("Misses", "pcap_gateway_redis_misses_total");
  figures.Row("Waited for others", "pcap_gateway_redis_waits_total");
  figures.Row("Stored", "pcap_gateway_redis_stores_total");
  figures.Row("Corrupt", "pcap_gateway_redis_corrupt_total");
  figures.Row("Failures", "pcap_gateway_redis_failures_total");
  figures.Row("Skipped", "pcap_gateway_redis_skipped_total");
}

bool BelongsHere(absl::string_view series) {
  return absl::StartsWith(series, "pcap_gateway_cache_") ||
         absl::StartsWith(series, "pcap_gateway_upstream_") ||
         absl::StartsWith(series, "pcap_gateway_redis_");
}

}  // namespace

std::string CacheTable(const MetricSamples& samples) {
  Table table;
  Figures figures(samples, table);
  if (samples.Sum("pcap_gateway_cache_hits_total").has_value()) {
    AddCalls(samples, figures, table);
    AddStore(samples, figures, table);
  } else {
    table.Row("Cache", "off");
  }
  AddUpstream(figures, table);
  AddRedis(samples, figures, table);
  return table.Text();
}

std::string CacheJson(const MetricSamples& samples) {
  google::protobuf::Struct object;
  for (const auto& [series, value] : samples.series()) {
    if (BelongsHere(series)) (*object.mutable_fields())[series].set_number_value(value);
  }
  std::string json;
  // Numbers and names alone: that has a JSON form.
  (void)google::protobuf::util::MessageToJsonString(object, &json);
  return IndentedJson(json);
}

}  // namespace pcap_client
