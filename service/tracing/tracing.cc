#include "service/tracing/tracing.h"

#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/resource/resource_detector.h>
#include <opentelemetry/sdk/trace/samplers/always_off_factory.h>
#include <opentelemetry/sdk/trace/samplers/always_on_factory.h>
#include <opentelemetry/sdk/trace/samplers/parent_factory.h>
#include <opentelemetry/sdk/trace/samplers/trace_id_ratio_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/semconv/client_attributes.h>
#include <opentelemetry/semconv/error_attributes.h>
#include <opentelemetry/semconv/http_attributes.h>
#include <opentelemetry/semconv/incubating/rpc_attributes.h>
#include <opentelemetry/semconv/schema_url.h>
#include <opentelemetry/semconv/server_attributes.h>
#include <opentelemetry/semconv/service_attributes.h>
#include <opentelemetry/semconv/url_attributes.h>
#include <opentelemetry/trace/propagation/http_trace_context.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/source/method_name.h"
#include "service/tracing/span_export.h"
#include "service/tracing/span_texts.h"

namespace pcap_gateway {
namespace {

namespace nostd = opentelemetry::nostd;
namespace otel = opentelemetry::trace;
namespace sdk = opentelemetry::sdk;
namespace semconv = opentelemetry::semconv;

using SpanPtr = nostd::shared_ptr<otel::Span>;
using TracerPtr = nostd::shared_ptr<otel::Tracer>;

constexpr std::chrono::seconds kLongestEnd{6};

constexpr absl::string_view kHeader = "traceparent: ";

nostd::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

// `traceparent`: a checked one, or empty. Then the result is no valid context.
otel::SpanContext ContextOf(absl::string_view traceparent) {
  using W3c = otel::propagation::HttpTraceContext;
  if (traceparent.empty()) return otel::SpanContext::GetInvalid();
  return {W3c::TraceIdFromHex(View(traceparent.substr(3, 32))),
          W3c::SpanIdFromHex(View(traceparent.substr(36, 16))),
          W3c::TraceFlagsFromHex(View(traceparent.substr(53, 2))), true};
}

std::string TraceparentOf(const otel::Span& span) {
  const otel::SpanContext context = span.GetContext();
  char text[] = "00-00000000000000000000000000000000-0000000000000000-00";
  context.trace_id().ToLowerBase16(nostd::span<char, 32>(text + 3, 32));
  context.span_id().ToLowerBase16(nostd::span<char, 16>(text + 36, 16));
  // Not its own flags: of a span that no sampler took they are still the parent's (1.19).
  if (span.IsRecording()) text[54] = '1';
  return text;
}

void Set(otel::Span& span, const char* name, absl::string_view value) {
  if (!value.empty()) span.SetAttribute(name, View(value));
}

void Set(otel::Span& span, const char* name, int value) {
  if (value != 0) span.SetAttribute(name, value);
}

// What a gRPC server's span calls an error: what the server did itself.
bool IsErrorOfServer(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

// What spans take of words, which a caller, a certificate or libcurl may have written: a collector
// refuses the whole batch for one text that is not UTF-8.
struct Words {
  std::function<std::string(absl::string_view)> redact;
  std::function<std::string(const CacheStatus&)> cache_status;

  std::string Clean(absl::string_view text) const {
    constexpr size_t kMostBytes = 1024;
    std::string clean = redact(text);
    clean.resize(std::min(clean.size(), kMostBytes));
    std::replace_if(
        clean.begin(), clean.end(), [](unsigned char c) { return !absl::ascii_isprint(c); }, '?');
    return clean;
  }
};

class ServerSpan final : public CallSpan {
 public:
  ServerSpan(SpanPtr span, const Words& words) : span_(std::move(span)), words_(words) {}

  void End(const EndedCall& call) override {
    if (span_->IsRecording()) Describe(call);
    span_->End();
  }

 private:
  void Describe(const EndedCall& call) {
    namespace rpc = semconv::rpc;
    otel::Span& span = *span_;
    const Outcome& outcome = *call.reply.outcome;
    const MethodName name = MethodNameOf(call.method);
    span.SetAttribute(rpc::kRpcSystem, "grpc");
    Set(span, rpc::kRpcService, name.service);
    Set(span, rpc::kRpcMethod, name.method);
    span.SetAttribute(rpc::kRpcGrpcStatusCode, static_cast<int>(call.code()));
    const Caller caller = call.caller();
    const Place peer = PlaceOfPeer(caller.address);
    Set(span, semconv::client::kClientAddress, peer.host);
    Set(span, semconv::client::kClientPort, peer.port);
    Set(span, "pcap_gateway.principal", Clean(caller.principal, call));
    Set(span, "pcap_gateway.request_id", Clean(call.request_id, call));
    Set(span, "pcap_gateway.cache_status", words_.cache_status(call.reply.cache_status));
    span.SetAttribute("pcap_gateway.upstream_requests", call.upstream_requests);
    if (outcome.ok()) return;
    Set(span, semconv::error::kErrorType, NameOf(outcome.error->reason));
    if (!IsErrorOfServer(call.code())) return;
    span.SetStatus(otel::StatusCode::kError, Clean(outcome.error->message, call));
  }

  std::string Clean(absl::string_view text, const EndedCall& call) const {
    std::string clean(text);
    if (call.query.credential != nullptr) call.query.credential->RedactFrom(clean);
    return words_.Clean(clean);
  }

  const SpanPtr span_;
  const Words& words_;
};

// Outcome of one request. A status of 400 or more is an error to who asked.
void Describe(const HttpResult& result, const Words& words, otel::Span& span) {
  int sendings = 1;
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) {
    sendings = answer->sendings;
    span.SetAttribute(semconv::http::kHttpResponseStatusCode, answer->status);
    if (answer->status >= 400) {
      Set(span, semconv::error::kErrorType, absl::StrCat(answer->status));
      span.SetStatus(otel::StatusCode::kError);
    }
  } else if (const auto* failure = std::get_if<TransportFailure>(&result)) {
    sendings = failure->sendings;
    Set(span, semconv::error::kErrorType, NameOf(failure->kind));
    span.SetStatus(otel::StatusCode::kError, words.Clean(failure->detail));
  }
  if (sendings > 1) span.SetAttribute("pcap_gateway.sendings", sendings);
}

class TracedClient final : public HttpClient {
 public:
  TracedClient(HttpClient& inner, TracerPtr tracer, const Words& words)
      : inner_(inner), tracer_(std::move(tracer)), words_(words) {}

  Ticket Send(HttpRequest request, Done done) override {
    const auto line =
        std::find_if(request.header_lines.begin(), request.header_lines.end(),
                     [](const std::string& its) { return absl::StartsWith(its, kHeader); });
    const bool has_parent = line != request.header_lines.end();
    SpanPtr span =
        Begin(request, has_parent ? absl::string_view(*line).substr(kHeader.size()) : "");
    std::string own = absl::StrCat(kHeader, TraceparentOf(*span));
    if (has_parent) {
      *line = std::move(own);
    } else {
      request.header_lines.push_back(std::move(own));
    }
    if (!span->IsRecording()) return inner_.Send(std::move(request), std::move(done));
    return inner_.Send(std::move(request), [span = std::move(span), &words = words_,
                                            done = std::move(done)](HttpResult result) mutable {
      Describe(result, words, *span);
      span->End();
      std::move(done)(std::move(result));
    });
  }

 private:
  SpanPtr Begin(const HttpRequest& request, absl::string_view traceparent) {
    otel::StartSpanOptions options;
    options.kind = otel::SpanKind::kClient;
    options.parent = ContextOf(traceparent);
    SpanPtr span = tracer_->StartSpan(View(request.method), options);
    if (!span->IsRecording()) return span;
    const Place server = PlaceOfUrl(request.url);
    Set(*span, semconv::http::kHttpRequestMethod, request.method);
    Set(*span, semconv::url::kUrlFull, words_.Clean(UrlForSpans(request.url)));
    Set(*span, semconv::server::kServerAddress, server.host);
    Set(*span, semconv::server::kServerPort, server.port);
    Set(*span, semconv::http::kHttpRequestResendCount, request.resends);
    return span;
  }

  HttpClient& inner_;
  const TracerPtr tracer_;
  const Words& words_;
};

std::unique_ptr<sdk::trace::Sampler> SamplerOf(const Sampling& sampling) {
  std::unique_ptr<sdk::trace::Sampler> own =
      sampling.share >= 1   ? sdk::trace::AlwaysOnSamplerFactory::Create()
      : sampling.share <= 0 ? sdk::trace::AlwaysOffSamplerFactory::Create()
                            : sdk::trace::TraceIdRatioBasedSamplerFactory::Create(sampling.share);
  if (!sampling.by_parent) return own;
  return sdk::trace::ParentBasedSamplerFactory::Create(std::move(own));
}

// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say more of it, and say it better.
sdk::resource::Resource ResourceOf(const std::string& version) {
  const auto ours =
      sdk::resource::Resource::Create({{semconv::service::kServiceName, "pcap-gateway"},
                                       {semconv::service::kServiceVersion, version}});
  return ours.Merge(sdk::resource::OTELResourceDetector().Detect());
}

class OpenTelemetryTracing final : public Tracing {
 public:
  explicit OpenTelemetryTracing(const TracingOptions& options)
      : words_{.redact = options.redact, .cache_status = options.cache_status},
        state_(std::make_shared<ExportState>(options.log)),
        provider_(sdk::trace::TracerProviderFactory::Create(StartExport(options.url, state_),
                                                            ResourceOf(options.version),
                                                            SamplerOf(options.sampling))),
        tracer_(provider_->GetTracer("pcap-gateway", options.version, semconv::kSchemaUrl)) {}

  ~OpenTelemetryTracing() override {
    state_->Stop();
    // The library's libcurl waits for the end of a look-up of the collector's name, which may never
    // come. Then what is left here is left behind, as the process is about to end.
    std::promise<void> over;
    const std::future<void> is_over = over.get_future();
    std::thread end;
    try {
      end = std::thread([provider = std::move(provider_), tracer = std::move(tracer_),
                         over = std::move(over)]() mutable {
        provider->Shutdown(std::chrono::milliseconds(1));
        tracer = nullptr;
        provider = nullptr;
        over.set_value();
      });
    } catch (const std::system_error&) {
      return;  // the system gives no thread: both have ended on this one
    }
    if (is_over.wait_for(kLongestEnd) == std::future_status::ready) {
      end.join();
    } else {
      end.detach();
    }
  }

  std::unique_ptr<CallSpan> Begin(absl::string_view method,
                                  std::chrono::steady_clock::time_point began,
                                  Trace& trace) override {
    const std::chrono::steady_clock::duration ago = std::chrono::steady_clock::now() - began;
    otel::StartSpanOptions options;
    options.kind = otel::SpanKind::kServer;
    options.parent = ContextOf(trace.traceparent);
    options.start_steady_time = opentelemetry::common::SteadyTimestamp(began);
    options.start_system_time = opentelemetry::common::SystemTimestamp(
        std::chrono::system_clock::now() -
        std::chrono::duration_cast<std::chrono::system_clock::duration>(ago));
    absl::ConsumePrefix(&method, "/");
    SpanPtr span = tracer_->StartSpan(View(method), options);
    trace.traceparent = TraceparentOf(*span);
    return std::make_unique<ServerSpan>(std::move(span), words_);
  }

  std::unique_ptr<HttpClient> Around(HttpClient& inner) override {
    return std::make_unique<TracedClient>(inner, tracer_, words_);
  }

  const TracingStats& stats() const override { return state_->stats(); }

 private:
  const Words words_;
  const std::shared_ptr<ExportState> state_;
  std::unique_ptr<sdk::trace::TracerProvider> provider_;
  TracerPtr tracer_;
};

}  // namespace

bool HasTracing() { return true; }

absl::StatusOr<std::unique_ptr<Tracing>> Tracing::Start(const TracingOptions& options) {
  try {
    return std::make_unique<OpenTelemetryTracing>(options);
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread can be started for spans: ", error.what()));
  }
}

}  // namespace pcap_gateway
