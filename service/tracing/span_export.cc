#include "service/tracing/span_export.h"

#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/recordable.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/base/mutex.h"

namespace pcap_gateway {
namespace {

namespace nostd = opentelemetry::nostd;
namespace otlp = opentelemetry::exporter::otlp;
namespace sdk = opentelemetry::sdk;
namespace internal_log = opentelemetry::sdk::common::internal_log;

// How long a span waits for company.
constexpr std::chrono::milliseconds kBatchWait{1000};
constexpr size_t kMostOfBatch = 512;
// The longest that one batch may take, and until when the end may begin one: together they bound
// the end.
constexpr std::chrono::seconds kLongestSending{3};
constexpr std::chrono::seconds kLastSending{2};

// What the library's log says is kept for our own line.
class ProblemNote final : public internal_log::LogHandler {
 public:
  explicit ProblemNote(std::shared_ptr<ExportState> state) : state_(std::move(state)) {}

  void Handle(internal_log::LogLevel, const char*, int, const char* message,
              const sdk::common::AttributeMap&) noexcept override {
    state_->Note(message == nullptr ? "" : message);
  }

 private:
  const std::shared_ptr<ExportState> state_;
};

class WatchedExporter final : public sdk::trace::SpanExporter {
 public:
  WatchedExporter(std::unique_ptr<sdk::trace::SpanExporter> inner,
                  std::shared_ptr<ExportState> state)
      : inner_(std::move(inner)), state_(std::move(state)) {}

  std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
    return inner_->MakeRecordable();
  }

  sdk::common::ExportResult Export(
      const nostd::span<std::unique_ptr<sdk::trace::Recordable>>& spans) noexcept override {
    const size_t count = spans.size();
    state_->LeavePlaces(count);
    if (!state_->MaySend()) {
      state_->Lost(count);
      return sdk::common::ExportResult::kFailure;
    }
    const sdk::common::ExportResult result = inner_->Export(spans);
    state_->Sent(count, result == sdk::common::ExportResult::kSuccess);
    return result;
  }

  bool ForceFlush(std::chrono::microseconds timeout) noexcept override {
    return inner_->ForceFlush(timeout);
  }

  bool Shutdown(std::chrono::microseconds timeout) noexcept override {
    return inner_->Shutdown(timeout);
  }

 private:
  const std::unique_ptr<sdk::trace::SpanExporter> inner_;
  const std::shared_ptr<ExportState> state_;
};

class BoundedProcessor final : public sdk::trace::SpanProcessor {
 public:
  BoundedProcessor(std::unique_ptr<sdk::trace::SpanProcessor> inner,
                   std::shared_ptr<ExportState> state)
      : inner_(std::move(inner)), state_(std::move(state)) {}

  std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
    return inner_->MakeRecordable();
  }

  void OnStart(sdk::trace::Recordable& span,
               const opentelemetry::trace::SpanContext& parent) noexcept override {
    inner_->OnStart(span, parent);
  }

  void OnEnd(std::unique_ptr<sdk::trace::Recordable>&& span) noexcept override {
    if (state_->TakePlace()) inner_->OnEnd(std::move(span));
  }

  bool ForceFlush(std::chrono::microseconds timeout) noexcept override {
    return inner_->ForceFlush(timeout);
  }

  bool Shutdown(std::chrono::microseconds timeout) noexcept override {
    return inner_->Shutdown(timeout);
  }

 private:
  const std::unique_ptr<sdk::trace::SpanProcessor> inner_;
  const std::shared_ptr<ExportState> state_;
};

}  // namespace

bool ExportState::TakePlace() {
  if (waiting_.fetch_add(1, std::memory_order_relaxed) < Tracing::kMostWaiting) return true;
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  stats_.over_bounds.Add();
  return false;
}

bool ExportState::MaySend() {
  const Lock lock(mutex_);
  problem_.clear();
  refused_ = false;
  return !is_stopping() || (is_up_ && std::chrono::steady_clock::now() < give_up_);
}

void ExportState::Note(absl::string_view problem) {
  // Its exporter returns success whatever happened, and says here that it did not (1.19).
  const bool is_verdict = absl::ConsumePrefix(&problem, "[OTLP TRACE HTTP Exporter] ERROR: ");
  absl::ConsumePrefix(&problem, "[OTLP HTTP Client] ");
  absl::ConsumePrefix(&problem, "Session state: ");
  // What comes after that are headers and a body.
  problem = problem.substr(0, problem.find(", Header:"));
  const Lock lock(mutex_);
  if (is_verdict) {
    refused_ = true;
  } else if (problem_.empty()) {
    problem_ = std::string(problem.substr(0, 300));
  }
}

void ExportState::Sent(size_t spans, bool taken) {
  std::string line;
  bool is_up = false;
  {
    const Lock lock(mutex_);
    is_up = taken && !refused_;
    (is_up ? stats_.exported : stats_.failed).Add(spans);
    if (is_up == is_up_) return;
    is_up_ = is_up;
    if (is_stopping()) return;
    if (!is_up) {
      line = absl::StrCat("the collector takes no spans: ",
                          problem_.empty() ? "no answer in time" : problem_);
    }
  }
  if (is_up) line = "the collector takes spans again";
  tell_(is_up, line);
}

void ExportState::Stop() {
  const Lock lock(mutex_);
  give_up_ = std::chrono::steady_clock::now() + kLastSending;
}

std::unique_ptr<sdk::trace::SpanProcessor> StartExport(const std::string& url,
                                                       std::shared_ptr<ExportState> state) {
  internal_log::GlobalLogHandler::SetLogHandler(
      nostd::shared_ptr<internal_log::LogHandler>(new ProblemNote(state)));
  internal_log::GlobalLogHandler::SetLogLevel(internal_log::LogLevel::Error);
  // What is not set here comes from OTEL_EXPORTER_OTLP_*: headers, protocol, certificates.
  otlp::OtlpHttpExporterOptions options;
  options.url = url;
  options.timeout = std::min<std::chrono::system_clock::duration>(options.timeout, kLongestSending);
  options.retry_policy_max_attempts = 0;  // it would go on beyond the timeout
  auto exporter =
      std::make_unique<WatchedExporter>(otlp::OtlpHttpExporterFactory::Create(options), state);
  sdk::trace::BatchSpanProcessorOptions batches;
  batches.max_queue_size = Tracing::kMostWaiting;
  batches.max_export_batch_size = kMostOfBatch;
  batches.schedule_delay_millis = kBatchWait;
  return std::make_unique<BoundedProcessor>(
      sdk::trace::BatchSpanProcessorFactory::Create(std::move(exporter), batches),
      std::move(state));
}

}  // namespace pcap_gateway
