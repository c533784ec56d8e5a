#include "service/upstream/paced_client.h"

#include <algorithm>

namespace pcap_gateway {
namespace {

// A second, and what the way may shorten the time between two requests by.
constexpr absl::Duration kWindow = absl::Milliseconds(1050);

}  // namespace

struct PacedClient::Waiting {
  HttpRequest request;
  Done done;  // empty once it was called, or passed on
  absl::Time give_up_at;
  Ticket ticket;  // once sent
};

Ticket PacedClient::Send(HttpRequest request, Done done) {
  const absl::Time now = clock_.Now();
  // Not past those who wait.
  if (stats_.waiting == 0 && MaySend(now)) return SendNow(std::move(request), std::move(done));
  auto waiting = std::make_shared<Waiting>();
  waiting->give_up_at = now + request.timeout;
  waiting->request = std::move(request);
  waiting->done = std::move(done);
  Enter(waiting);
  WakeLater(now);
  return Ticket([this, waiting] { Cancel(waiting); });
}

bool PacedClient::MaySend(absl::Time now) {
  while (!sent_.empty() && sent_.front() <= now - kWindow) sent_.pop_front();
  return static_cast<int64_t>(sent_.size()) < most_;
}

Ticket PacedClient::SendNow(HttpRequest request, Done done) {
  const absl::Time now = clock_.Now();
  sent_.push_back(now);
  return inner_.Send(std::move(request),
                     [this, now, done = std::move(done)](HttpResult result) mutable {
                       if (SendingsOf(result) == 0) Forget(now);
                       std::move(done)(std::move(result));
                     });
}

// One that nobody has counted. So a loop that stops, where nothing is sent, lets all go at once.
void PacedClient::Forget(absl::Time sent_at) {
  const auto found = std::lower_bound(sent_.begin(), sent_.end(), sent_at);
  if (found != sent_.end() && *found == sent_at) sent_.erase(found);
}

void PacedClient::Enter(const WaitingPtr& waiting) {
  ++stats_.waiting;
  if (NobodyWaits(waiting->request)) {
    refreshes_.push_back(waiting);
    return;
  }
  static const std::string kNobody;
  const auto& name = waiting->request.caller;
  const std::string& caller = name == nullptr ? kNobody : *name;
  auto line = std::find_if(lines_.begin(), lines_.end(),
                           [&caller](const Line& line) { return line.caller == caller; });
  if (line == lines_.end()) {
    line = lines_.insert(lines_.end(), Line{.caller = caller, .waiting = {}});
  }
  line->waiting.push_back(waiting);
}

PacedClient::WaitingPtr PacedClient::TakeNext() {
  --stats_.waiting;
  if (lines_.empty()) {
    WaitingPtr next = std::move(refreshes_.front());
    refreshes_.pop_front();
    return next;
  }
  Line& line = lines_.front();
  WaitingPtr next = std::move(line.waiting.front());
  line.waiting.pop_front();
  if (line.waiting.empty()) {
    lines_.pop_front();
  } else {
    lines_.splice(lines_.end(), lines_, lines_.begin());
  }
  return next;
}

void PacedClient::SendWaiting() {
  wakes_ = false;
  const absl::Time now = clock_.Now();
  while (stats_.waiting > 0 && MaySend(now)) {
    const WaitingPtr waiting = TakeNext();
    if (!waiting->done) continue;  // cancelled
    Done done = std::exchange(waiting->done, nullptr);
    waiting->request.timeout = waiting->give_up_at - now;
    if (waiting->request.timeout <= absl::ZeroDuration()) {
      std::move(done)(TransportFailure{TransportFailure::Kind::kTimeout, "waited for its turn",
                                       /*sendings=*/0});
      continue;
    }
    waiting->ticket = SendNow(std::move(waiting->request), std::move(done));
  }
  WakeLater(now);
}

void PacedClient::WakeLater(absl::Time now) {
  if (wakes_ || stats_.waiting == 0) return;
  wakes_ = true;
  const absl::Time next = sent_.empty() ? now : sent_.front() + kWindow;
  loop_.After(std::max(next - now, absl::ZeroDuration()), [this] { SendWaiting(); });
}

// Who was cancelled stays in line, and is passed over.
void PacedClient::Cancel(const WaitingPtr& waiting) {
  if (!waiting->done) return waiting->ticket.Cancel();
  std::exchange(waiting->done, nullptr)(
      TransportFailure{TransportFailure::Kind::kCancelled, "cancelled", /*sendings=*/0});
}

}  // namespace pcap_gateway
