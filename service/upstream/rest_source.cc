#include "service/upstream/rest_source.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/loop/pending.h"
#include "service/source/cancelled.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;

// A body that was to stream through, and whose beginning may be with the caller.
Error ErrorOfRest(const TransportFailure& failure) {
  if (failure.kind == Kind::kTooLarge) {
    return Error(absl::StatusCode::kInternal, Reason::kUpstreamResponseTooLarge,
                 "Cloudflare's answer is larger than the gateway passes on "
                 "(--most-download-bytes)");
  }
  return Error(absl::StatusCode::kDataLoss, Reason::kDownloadIncomplete,
               absl::StrCat("Cloudflare's answer ended early, after ", failure.sunk_bytes,
                            " bytes: ", failure.detail));
}

Error ErrorOf(const TransportFailure& failure, bool caller_set_the_limit) {
  switch (failure.kind) {
    case Kind::kCancelled:
      return Error(absl::StatusCode::kCancelled, Reason::kCancelled, "the call was cancelled");
    case Kind::kStopped:
      return Error(absl::StatusCode::kUnavailable, Reason::kShuttingDown,
                   "this gateway is shutting down; ask another one");
    case Kind::kTooLarge:
      return Error(absl::StatusCode::kInternal, Reason::kUpstreamResponseTooLarge,
                   "Cloudflare's answer is larger than the gateway accepts");
    case Kind::kTimeout:
      if (caller_set_the_limit) {
        return Error(absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                     "the call's deadline passed before Cloudflare answered");
      }
      return Error(absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable,
                   "Cloudflare did not answer in time");
    case Kind::kOwnLimits:
      return Error(
          absl::StatusCode::kUnavailable, Reason::kOverloaded,
          absl::StrCat("the gateway has no means left to ask Cloudflare: ", failure.detail));
    case Kind::kResolve:
    case Kind::kConnect:
    case Kind::kTls:
    case Kind::kBroken:
    case Kind::kStalled:
    case Kind::kMalformed:
      return Error(absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable,
                   absl::StrCat("Cloudflare gave no answer: ", failure.detail));
  }
  return Error(absl::StatusCode::kInternal, Reason::kInternal, "unknown transport failure");
}

Error OverBudget(const Withheld& withheld) {
  const bool is_callers = withheld.limit == Refusal::Limit::kCaller;
  Error error(absl::StatusCode::kResourceExhausted, Reason::kRateLimited,
              absl::StrCat(is_callers ? "this caller has had its part of the requests that "
                                        "Cloudflare allows this credential"
                                      : "one more request would break Cloudflare's rate limit for "
                                        "this credential",
                           withheld.place_kept
                               ? "; one is kept for this call at the time that RetryInfo says"
                               : "; none is free that could be kept for this call"));
  error.metadata = {{"limit", is_callers ? "caller" : "credential"},
                    {"place", withheld.place_kept ? "kept" : "none"}};
  return error;
}

Error ErrorOf(const Withheld& withheld) {
  Error error(absl::StatusCode::kInternal, Reason::kInternal, "withheld for an unknown reason");
  switch (withheld.kind) {
    case Withheld::Kind::kOverBudget:
      error = OverBudget(withheld);
      break;
    case Withheld::Kind::kCircuitOpen:
      error = Error(absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable,
                    "Cloudflare has been failing, and is left alone for a moment");
      break;
    case Withheld::Kind::kQueueFull:
      error = Error(absl::StatusCode::kUnavailable, Reason::kOverloaded,
                    "too many calls wait for Cloudflare");
      break;
  }
  error.retry_after = withheld.retry_after;
  return error;
}

// A ray id is hex digits, a dash and a data center's code in capitals. Anything else is not
// repeated to callers: it would be foreign text in their metadata, a credential even.
Ray CleanRay(absl::string_view ray) {
  const size_t dash = std::min(ray.find('-'), ray.size());
  const absl::string_view digits = ray.substr(0, dash);
  const absl::string_view center = ray.substr(std::min(dash + 1, ray.size()));
  const bool clean = !digits.empty() && !center.empty() &&
                     std::all_of(digits.begin(), digits.end(), absl::ascii_isxdigit) &&
                     std::all_of(center.begin(), center.end(), absl::ascii_isupper);
  return clean ? Ray(ray) : Ray();
}

}  // namespace

// A query on its way. The loop's thread only, once posted.
struct RestSource::Call {
  Query query;
  Pending<Reply> pending;
  absl::Time sent_at;
  bool caller_set_the_limit = false;  // its deadline is nearer than our own timeout

  bool once() const { return query.endpoint->effect == Effect::kWritesOnce; }
  // It cannot be taken back any more.
  bool is_written() const {
    return once() && query.requests_sent != nullptr && query.requests_sent->load() > 0;
  }
};

RestSource::RestSource(Loop& loop, HttpClient& client, RestOptions options, const Clock& clock)
    : loop_(loop), client_(client), options_(std::move(options)), clock_(clock) {}

std::optional<Reply> RestSource::AtHand(const Query&) { return std::nullopt; }

Ticket RestSource::Ask(Query query, Done done) {
  if (query.only_if_cached) {
    Reply reply = FailedReply(Error(
        absl::StatusCode::kFailedPrecondition, Reason::kNotCached,
        "no cache has an answer that the call accepts, and it asked for none from Cloudflare"));
    reply.cache_status.how = CacheStatus::How::kOnlyIfCached;
    std::move(done)(std::move(reply));
    return {};
  }
  auto call = std::make_shared<Call>();
  call->query = std::move(query);
  call->pending = Pending<Reply>(std::move(done));
  RunOn(loop_, [this, call] { Send(call); });
  return Ticket([this, call] {
    RunOn(loop_, [call] {
      if (!call->is_written()) call->pending.Cancel(CancelledReply());
    });
  });
}

void RestSource::Send(const std::shared_ptr<Call>& call) {
  if (!call->pending.open()) return;  // cancelled on the loop, before this task's turn came
  const Query& query = call->query;
  call->sent_at = clock_.Now();
  if (OutcomePtr rejection = rejected_.Find(query.credential->partition(), call->sent_at)) {
    return Answer(*call, std::move(rejection));
  }
  const absl::Duration left = query.deadline - call->sent_at;
  call->caller_set_the_limit = left < options_.timeout;
  HttpRequest request{
      .method = query.endpoint->method,
      .url = absl::StrCat(options_.base_url, query.endpoint->target(query)),
      .credential = query.credential,
      .body = query.body,
      .timeout = std::min(left, options_.timeout),
      .deadline = query.latest_deadline,
      .caller = query.caller,
      .background = query.background,
      .idempotent = !call->once(),
      .fresh_connection = call->once(),
      .requests_sent = query.requests_sent,
      .accept = query.endpoint->accept,
      .sink = query.sink,
      .is_content = query.endpoint->is_content,
      .most_sunk_bytes = options_.most_sunk_bytes,
  };
  if (!query.trace.traceparent.empty()) {
    request.header_lines.push_back(absl::StrCat("traceparent: ", query.trace.traceparent));
  }
  // What a caller wrote, and may have pasted its token into. Proxies log such headers.
  const auto add_free_text = [&](absl::string_view name, std::string text) {
    if (text.empty()) return;
    query.credential->RedactFrom(text);
    request.header_lines.push_back(absl::StrCat(name, ": ", text));
  };
  add_free_text("tracestate", query.trace.tracestate);
  add_free_text("X-Request-ID", query.trace.request_id);
  call->pending.Hold(client_.Send(std::move(request), [this, call](HttpResult result) {
    OutcomePtr outcome = OutcomeOf(*call, std::move(result));
    const Credential& credential = *call->query.credential;
    if (credential.owner() == Credential::Owner::kCaller) {
      if (outcome->ok()) {
        rejected_.Accepted(credential.partition());
      } else if (outcome->error->denies == Denies::kEverything) {
        rejected_.Rejected(credential.partition(), outcome, clock_.Now());
      }
    }
    Answer(*call, std::move(outcome));
  }));
}

void RestSource::Answer(Call& call, OutcomePtr outcome) const {
  const absl::Duration age = std::max(clock_.Now() - outcome->as_of, absl::ZeroDuration());
  call.pending.Finish(Reply{.outcome = std::move(outcome),
                            .cache_status = {.how = CacheStatus::How::kBypass},
                            .age = age});
}

OutcomePtr RestSource::OutcomeOf(const Call& call, HttpResult result) const {
  const Credential& credential = *call.query.credential;
  auto outcome = std::make_shared<Outcome>();
  if (const auto* failure = std::get_if<TransportFailure>(&result)) {
    const bool of_our_own = failure->kind == Kind::kCancelled || failure->kind == Kind::kStopped;
    const bool of_stream =
        failure->sunk_bytes > 0 || (call.query.sink != nullptr && failure->kind == Kind::kTooLarge);
    Error error = of_stream && !of_our_own ? ErrorOfRest(*failure)
                                           : ErrorOf(*failure, call.caller_set_the_limit);
    const bool is_sent = failure->sendings > 0 && failure->kind != Kind::kCancelled;
    if (call.once() && is_sent) error = OutcomeUnknown(std::move(error));
    error.for_operators = failure->for_operators;
    credential.RedactFrom(error.message);
    credential.RedactFrom(error.for_operators);
    outcome->error = std::make_unique<const Error>(std::move(error));
  } else if (const auto* withheld = std::get_if<Withheld>(&result)) {
    outcome->error = std::make_unique<const Error>(ErrorOf(*withheld));
  } else {
    HttpAnswer& answer = std::get<HttpAnswer>(result);
    credential.RedactFrom(answer.content_type);
    credential.RedactFrom(answer.content_encoding);
    credential.RedactFrom(answer.cf_ray);
    *outcome = call.query.endpoint->parse(
        call.query, answer,
        {.reveal_destination_secrets = options_.reveal_destination_secrets, .now = clock_.Now()});
    outcome->http_status = answer.status;
    outcome->cf_ray = CleanRay(answer.cf_ray);
  }
  outcome->as_of = call.sent_at;
  return outcome;
}

}  // namespace pcap_gateway
