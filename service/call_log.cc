#include "service/call_log.h"

#include <chrono>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/rpc/reply.h"

namespace pcap_gateway {
namespace {

// How long after the first failure without a line the count is told.
constexpr std::chrono::seconds kTellAfter{1};

// As DefaultServerCodeToLevel of go-grpc-middleware's logging interceptor.
LogLevel LevelOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kUnauthenticated:
      return LogLevel::kInfo;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnavailable:
      return LogLevel::kWarn;
    default:
      return LogLevel::kError;
  }
}

LogLevel LevelOf(const EndedCall& call) {
  if (call.reply.cache_status.stale_if_error) return LogLevel::kWarn;
  return LevelOf(call.code());
}

bool IsHit(const EndedCall& call) {
  return call.reply.outcome->ok() && call.reply.cache_status.how == CacheStatus::How::kHit;
}

// A write that was sent, or packets that were taken: each has a line, however many there are.
bool IsOnRecord(const EndedCall& call) {
  const Endpoint* const endpoint = call.query.endpoint;
  const bool is_write = endpoint != nullptr && endpoint->effect != Effect::kReads;
  const bool is_download = call.streamed.has_value() && call.streamed->bytes > 0;
  return is_download || (is_write && call.upstream_requests > 0);
}

// Empty for what the request did not name, or not properly.
std::string TextOf(const Id& id) { return id == Id() ? "" : id.ToString(); }

// Of a checked `traceparent`: version-traceid-parentid-flags.
absl::string_view TraceIdOf(const Trace& trace) {
  return trace.traceparent.empty() ? "" : absl::string_view(trace.traceparent).substr(3, 32);
}
absl::string_view SpanIdOf(const Trace& trace) {
  return trace.traceparent.empty() ? "" : absl::string_view(trace.traceparent).substr(36, 16);
}

// A text that a caller or Cloudflare wrote, without this call's credential.
std::string WithoutCredential(absl::string_view text, const Query& query) {
  std::string clean(text);
  if (query.credential != nullptr) query.credential->RedactFrom(clean);
  return clean;
}

}  // namespace

CallLog::CallLog(Log& log, double hits, std::function<absl::Time()> now)
    : log_(log), hits_(hits), now_(std::move(now)), thread_(StartThread([this] { Run(); })) {}

CallLog::~CallLog() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void CallLog::Ended(const EndedCall& call) {
  if (HasLine(call)) Write(call);
}

bool CallLog::HasLine(const EndedCall& call) {
  if (IsHit(call)) return hits_.Take() && log_.Takes(LogLevel::kInfo);
  if (!log_.Takes(LevelOf(call))) return false;
  if (call.reply.outcome->ok() || IsOnRecord(call)) return true;
  const absl::Time now = now_();
  const Lock lock(mutex_);
  if (failures_[{call.code(), call.reply.outcome->error->reason}].Take(now)) return true;
  if (!std::exchange(held_back_, true)) changed_.NotifyAll();
  return false;
}

void CallLog::Write(const EndedCall& call) {
  const Outcome& outcome = *call.reply.outcome;
  const CacheStatus& status = call.reply.cache_status;
  const Trace& trace = call.query.trace;
  // What is kept has its exchange behind it, which was not this call's.
  const bool kept = status.how == CacheStatus::How::kHit || status.stale_if_error;
  const int64_t http_status =
      status.stale_if_error ? status.forward_status : (kept ? 0 : outcome.http_status);
  const std::string code = absl::StatusCodeToString(call.code());
  const std::string cache_status = CacheStatusText(status);
  const std::string account = TextOf(call.query.account);
  const std::string resource = TextOf(call.query.resource);
  const Endpoint* const endpoint = call.query.endpoint;
  const absl::string_view resource_name = endpoint == nullptr ? "pcap_id" : endpoint->resource;
  const std::string request_id = WithoutCredential(call.request_id, call.query);
  const Caller caller = call.caller();
  const std::string message =
      outcome.ok() ? "answered" : WithoutCredential(outcome.error->message, call.query);

  absl::InlinedVector<LogField, 16> fields = {
      {"method", call.method},
      {"code", code},
      {"duration_ms", absl::ToDoubleMilliseconds(call.duration)},
      {"cache_status", cache_status},
      {"upstream_requests", int64_t{call.upstream_requests}},
  };
  if (call.streamed.has_value()) {
    fields.push_back({"messages", static_cast<int64_t>(call.streamed->messages)});
    fields.push_back({"bytes", static_cast<int64_t>(call.streamed->bytes)});
  }
  if (!outcome.ok()) fields.push_back({"reason", NameOf(outcome.error->reason)});
  if (!outcome.ok() && !outcome.error->for_operators.empty()) {
    fields.push_back({"upstream_failure", outcome.error->for_operators});
  }
  if (http_status != 0) fields.push_back({"http_status", http_status});
  fields.insert(fields.end(), {{"account_id", account},
                               {resource_name, resource},
                               {"request_id", request_id},
                               {"trace_id", TraceIdOf(trace)},
                               {"span_id", SpanIdOf(trace)},
                               {"cf_ray", kept ? "" : outcome.cf_ray.text()},
                               {"principal", caller.principal},
                               {"peer", caller.address}});
  log_.Write(LevelOf(call), message, fields);
}

// How many of each kind of failure.
std::vector<std::pair<CallLog::Kind, int64_t>> CallLog::TakeHeldBack() {
  held_back_ = false;
  std::vector<std::pair<Kind, int64_t>> counts;
  for (auto& [kind, limit] : failures_) {
    if (const int64_t count = limit.TakeHeldBack(); count > 0) counts.emplace_back(kind, count);
  }
  return counts;
}

void CallLog::TellHeldBack(const std::vector<std::pair<Kind, int64_t>>& counts) {
  for (const auto& [kind, count] : counts) {
    const auto& [code, reason] = kind;
    log_.Write(LevelOf(code), "further calls failed in the same way",
               {{"code", absl::StatusCodeToString(code)},
                {"reason", NameOf(reason)},
                {"suppressed", count}});
  }
}

void CallLog::Run() {
  Lock lock(mutex_);
  while (!stopping_) {
    changed_.Wait(
        lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || held_back_; });
    changed_.WaitFor(lock, kTellAfter,
                     [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_; });
    const auto counts = TakeHeldBack();
    lock.Unlock();
    TellHeldBack(counts);
    lock.Relock();
  }
}

}  // namespace pcap_gateway
