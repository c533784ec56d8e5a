// SpanExport: the way of spans to the collector, with bounds, and an eye on whether it arrives.
//
// The library's batch processor and its OTLP/HTTP exporter do the work. Around them stand what they
// lack: a count of what is lost, one line when the collector goes and one when it is back, and an
// end that does not take long.
#ifndef PCAP_GATEWAY_SERVICE_TRACING_SPAN_EXPORT_H_
#define PCAP_GATEWAY_SERVICE_TRACING_SPAN_EXPORT_H_

#include <opentelemetry/sdk/trace/processor.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/mutex.h"
#include "service/tracing/tracing.h"

namespace pcap_gateway {

// What the parts of the export tell each other. Thread-safe.
class ExportState {
 public:
  using Tell = std::function<void(bool is_up, const std::string& line)>;

  explicit ExportState(Tell tell) : tell_(std::move(tell)) {}

  // Takes a place for a span that is over. False: as many wait as may, and it was counted.
  bool TakePlace();
  void LeavePlaces(size_t spans) { waiting_.fetch_sub(spans, std::memory_order_relaxed); }

  // A batch is about to be sent. False: the end has come and there is no use or no time for it.
  bool MaySend();
  // The library says what goes wrong meanwhile.
  void Note(absl::string_view problem);
  // The batch was sent, or not.
  void Sent(size_t spans, bool taken);
  void Lost(size_t spans) { stats_.failed.Add(spans); }

  // From now on only what is quick is sent, and nothing is told: who is told may be gone.
  void Stop();

  const TracingStats& stats() const { return stats_; }

 private:
  bool is_stopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return give_up_ != std::chrono::steady_clock::time_point::max();
  }

  const Tell tell_;
  TracingStats stats_;
  std::atomic<size_t> waiting_{0};

  Mutex mutex_;
  std::string problem_ ABSL_GUARDED_BY(mutex_);
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;  // the library said that the batch did not arrive
  bool is_up_ ABSL_GUARDED_BY(mutex_) = true;
  std::chrono::steady_clock::time_point give_up_ ABSL_GUARDED_BY(mutex_) =
      std::chrono::steady_clock::time_point::max();
};

// Starts the processor's thread. Throws std::system_error if the system gives none.
std::unique_ptr<opentelemetry::sdk::trace::SpanProcessor> StartExport(
    const std::string& url, std::shared_ptr<ExportState> state);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_TRACING_SPAN_EXPORT_H_
