#include "service/upstream/retrying_client.h"

#include <utility>

#include "service/loop/pending.h"

namespace pcap_gateway {
namespace {

bool IsStalled(const HttpResult& result) {
  const auto* failure = std::get_if<TransportFailure>(&result);
  return failure != nullptr && failure->kind == TransportFailure::Kind::kStalled;
}

}  // namespace

struct RetryingClient::Request {
  HttpRequest request;
  Pending<HttpResult> pending;  // holds the attempt, or the wait for the next one
  absl::Time give_up_at;
  int attempts = 0;
  absl::Time sent_at;                 // the latest of them
  bool sent = false;                  // an attempt is under way; else the next one waits
  std::optional<HttpResult> failure;  // of the last attempt
};

RetryingClient::RetryingClient(Loop& loop, HttpClient& inner, const RetryPolicy& policy,
                               std::function<double()> chance, const Clock& clock)
    : loop_(loop),
      inner_(inner),
      policy_(policy),
      chance_(std::move(chance)),
      clock_(clock),
      allowance_(policy) {}

Ticket RetryingClient::Send(HttpRequest request, Done done) {
  allowance_.AddRequest();
  auto waiting = std::make_shared<Request>();
  waiting->give_up_at = clock_.Now() + request.timeout;
  waiting->request = std::move(request);
  waiting->pending = Pending<HttpResult>(std::move(done));
  Attempt(waiting);
  if (!waiting->pending.open()) return {};
  // Between two attempts there is none that would end with a result.
  return Ticket([waiting] {
    waiting->pending.Cancel(TransportFailure{TransportFailure::Kind::kCancelled, "cancelled"});
  });
}

void RetryingClient::Attempt(const RequestPtr& request) {
  const int number = ++request->attempts;
  request->sent = true;
  HttpRequest attempt = request->request;
  attempt.resends = number - 1;
  request->sent_at = clock_.Now();
  attempt.timeout = request->give_up_at - request->sent_at;
  if (request->failure.has_value()) attempt.fresh_connection = IsStalled(*request->failure);
  Ticket ticket = inner_.Send(std::move(attempt), [this, request](HttpResult result) {
    request->sent = false;
    Ended(request, std::move(result));
  });
  // It may have ended at once, and the ticket be that of the wait for the next attempt.
  if (request->sent && request->attempts == number) {
    request->pending.Hold(std::move(ticket));
  }
}

void RetryingClient::Ended(const RequestPtr& request, HttpResult result) {
  NoteQuickest(*request, result);
  // That a retry was withheld says less than what made it one.
  if (std::holds_alternative<Withheld>(result) && request->failure.has_value()) {
    result = *std::move(request->failure);
  } else if (const auto wait = WaitBeforeRetry(*request, result)) {
    stats_.retries.Add();
    request->failure = std::move(result);
    request->pending.Hold(loop_.After(*wait, [this, request] { Attempt(request); }));
    return;
  }
  request->pending.Finish(std::move(result));
}

// Of answers with content: to refuse takes less time.
void RetryingClient::NoteQuickest(const Request& request, const HttpResult& result) {
  const auto* answer = std::get_if<HttpAnswer>(&result);
  if (answer != nullptr && answer->status / 100 == 2) {
    quickest_ = std::min(quickest_, clock_.Now() - request.sent_at);
  }
}

// Absent: it is not to be repeated.
std::optional<absl::Duration> RetryingClient::WaitBeforeRetry(const Request& request,
                                                              const HttpResult& result) {
  const HttpRequest& what = request.request;
  if (!what.idempotent || NobodyWaits(what)) return std::nullopt;
  // What the sink has it cannot give back.
  const auto* const failure = std::get_if<TransportFailure>(&result);
  if (failure != nullptr && failure->sunk_bytes > 0) return std::nullopt;
  const absl::Time now = clock_.Now();
  const auto wait = BackoffBefore(request.attempts + 1, result, policy_, chance_(), now);
  if (!wait.has_value()) return std::nullopt;
  absl::Time too_late = request.give_up_at;
  if (what.deadline != nullptr) too_late = std::min(too_late, what.deadline->Get());
  const bool has_answered = quickest_ != absl::InfiniteDuration();
  const absl::Duration takes = has_answered ? quickest_ : absl::ZeroDuration();
  if (now + *wait + takes >= too_late) return std::nullopt;
  if (allowance_.TakeRetry()) return wait;
  stats_.over_allowance.Add();
  return std::nullopt;
}

}  // namespace pcap_gateway
