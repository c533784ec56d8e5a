#include "service/upstream/limited_client.h"

#include <algorithm>
#include <utility>

namespace pcap_gateway {
namespace {

// When to come again after a full queue: it says nothing of when there will be room.
constexpr absl::Duration kComeAgain = absl::Seconds(1);

// So many times the free places may be one party's. With more, one alone has more of them (n of
// n + 1), and who comes beside it has fewer at once.
constexpr int64_t kLent = 4;

}  // namespace

struct LimitedClient::Waiting {
  HttpRequest request;
  Done done;
  absl::Time give_up_at;
  Queue* queue = nullptr;  // null: its turn has come, or it was cancelled
  Line* line = nullptr;    // null: it waits among the refreshes
  Queue::iterator place;
  Ticket ticket;  // once sent
};

Ticket LimitedClient::Send(HttpRequest request, Done done) {
  const bool is_refresh = NobodyWaits(request);
  Line* const line = is_refresh ? nullptr : &LineOf(request);
  // Not past those who wait: this may be sent while they are just about to be.
  if (turns_.empty() && refreshes_.empty() && (is_refresh ? MayRefresh() : MaySend(*line))) {
    return SendNow(std::move(request), line, std::move(done));
  }
  WaitingPtr gives_way;
  const bool has_room =
      is_refresh ? static_cast<int64_t>(refreshes_.size()) < options_.most_refreshes_waiting
                 : MakeRoomFor(*line, gives_way);
  if (!has_room) {
    if (line != nullptr) ForgetIfIdle(*line);
    (is_refresh ? stats_.refused_refreshes : stats_.refused).Add();
    std::move(done)(Withheld{Withheld::Kind::kQueueFull, kComeAgain});
    return {};
  }
  auto waiting = std::make_shared<Waiting>();
  waiting->give_up_at = clock_.Now() + request.timeout;
  waiting->request = std::move(request);
  waiting->done = std::move(done);
  Wait(waiting, line);
  if (gives_way != nullptr) {
    stats_.refused.Add();
    // Who hears of it may come back at once.
    std::exchange(gives_way->done, nullptr)(Withheld{Withheld::Kind::kQueueFull, kComeAgain});
  }
  // There may be a place for it, though none for those who came before.
  SendWaiting();
  return Ticket([this, waiting] { Cancel(waiting); });
}

LimitedClient::Line& LimitedClient::LineOf(const HttpRequest& request) {
  static const std::string kNobody;
  const std::string& name = request.caller == nullptr ? kNobody : *request.caller;
  Caller& caller = callers_[name];
  if (caller.lines.empty()) caller.name = name;
  Line& line = caller.lines[request.credential->partition()];
  line.caller = &caller;
  line.partition = request.credential->partition();
  return line;
}

void LimitedClient::AddWaiting(Line& line, int64_t more) {
  line.caller->turns.AddWaiting(line, more);
  turns_.AddWaiting(*line.caller, more);
  stats_.waiting = calls_waiting_ += more;
}

// Null: a refresh's.
void LimitedClient::AddInFlight(Line* line, int64_t more) {
  stats_.in_flight = in_flight_ += more;
  if (line == nullptr) {
    refreshes_in_flight_ += more;
    return;
  }
  line->caller->turns.AddInFlight(*line, more);
  turns_.AddInFlight(*line->caller, more);
}

void LimitedClient::ForgetIfIdle(Line& line) {
  if (line.in_flight > 0 || line.waiting > 0) return;
  Caller& caller = *line.caller;
  caller.lines.erase(Partition(line.partition));
  if (caller.lines.empty()) callers_.erase(std::string(caller.name));
}

bool LimitedClient::MaySend(const Line& line) const {
  const int64_t free = options_.most_in_flight - in_flight_;
  const int64_t callers = std::min(free, kLent * free - line.caller->in_flight);
  return callers > 0 && line.in_flight < kLent * callers;
}

bool LimitedClient::MayRefresh() const {
  return refreshes_in_flight_ < options_.most_in_flight - in_flight_;
}

// Whether one more may wait in `line`. If need be, another is taken out, which is yet to hear so.
bool LimitedClient::MakeRoomFor(const Line& line, WaitingPtr& gives_way) {
  if (calls_waiting_ < options_.most_waiting) return true;
  if (turns_.empty()) return false;
  Caller* longest = &turns_.Longest();
  if (longest->waiting <= line.caller->waiting + 1) longest = line.caller;
  if (longest->waiting == 0) return false;
  Line& longest_line = longest->turns.Longest();
  if (longest == line.caller && longest_line.waiting <= line.waiting + 1) return false;
  gives_way = TakeOut(longest_line.queue.back());
  return true;
}

// Null: among the refreshes.
void LimitedClient::Wait(const WaitingPtr& waiting, Line* line) {
  waiting->line = line;
  waiting->queue = line == nullptr ? &refreshes_ : &line->queue;
  waiting->place = waiting->queue->insert(waiting->queue->end(), waiting);
  if (line == nullptr) {
    ++stats_.refreshes_waiting;
  } else {
    AddWaiting(*line, 1);
  }
}

// Its line may be gone afterwards.
LimitedClient::WaitingPtr LimitedClient::TakeOut(const WaitingPtr& waiting) {
  WaitingPtr taken = waiting;  // the argument may be the queue's own
  taken->queue->erase(taken->place);
  taken->queue = nullptr;
  if (taken->line == nullptr) {
    --stats_.refreshes_waiting;
  } else {
    AddWaiting(*taken->line, -1);
    ForgetIfIdle(*std::exchange(taken->line, nullptr));
  }
  return taken;
}

// Refreshes that somebody waits for by now wait among the calls, as far as there is room. There are
// few, so that to look through them all costs microseconds.
void LimitedClient::FindJoined() {
  for (auto next = refreshes_.begin(); next != refreshes_.end();) {
    const WaitingPtr waiting = *next++;
    if (NobodyWaits(waiting->request)) continue;
    if (calls_waiting_ >= options_.most_waiting) return;
    TakeOut(waiting);
    Wait(waiting, &LineOf(waiting->request));
  }
}

// Null: nobody's turn has come.
LimitedClient::WaitingPtr LimitedClient::TakeNext() {
  if (turns_.empty()) {
    return refreshes_.empty() || !MayRefresh() ? nullptr : TakeOut(refreshes_.front());
  }
  Line& line = turns_.Next().turns.Next();
  return MaySend(line) ? TakeOut(line.queue.front()) : nullptr;
}

void LimitedClient::SendWaiting() {
  // A request that ends at once comes back here: a long queue of them is no deep recursion.
  if (std::exchange(sending_waiting_, true)) return;
  FindJoined();
  while (const WaitingPtr waiting = TakeNext()) {
    const absl::Duration left = waiting->give_up_at - clock_.Now();
    Done done = std::exchange(waiting->done, nullptr);
    if (left <= absl::ZeroDuration()) {
      std::move(done)(TransportFailure{TransportFailure::Kind::kTimeout, "waited for its turn",
                                       /*sendings=*/0});
      continue;
    }
    waiting->request.timeout = left;
    Line* const line = NobodyWaits(waiting->request) ? nullptr : &LineOf(waiting->request);
    waiting->ticket = SendNow(std::move(waiting->request), line, std::move(done));
  }
  sending_waiting_ = false;
}

// `line`: null for a refresh.
Ticket LimitedClient::SendNow(HttpRequest request, Line* line, Done done) {
  if (request.is_abandoned()) {
    if (line != nullptr) ForgetIfIdle(*line);
    std::move(done)(TransportFailure{TransportFailure::Kind::kCancelled, "nobody waits for it",
                                     /*sendings=*/0});
    return {};
  }
  AddInFlight(line, 1);
  return inner_.Send(std::move(request), [this, line, sent_at = clock_.Now(),
                                          done = std::move(done)](HttpResult result) mutable {
    const absl::Duration out = clock_.Now() - sent_at;
    if (auto* const answer = std::get_if<HttpAnswer>(&result)) answer->out = out;
    if (auto* const failure = std::get_if<TransportFailure>(&result)) failure->out = out;
    AddInFlight(line, -1);
    if (line != nullptr) ForgetIfIdle(*line);
    std::move(done)(std::move(result));
    SendWaiting();
  });
}

void LimitedClient::Cancel(const WaitingPtr& waiting) {
  if (waiting->queue == nullptr) return waiting->ticket.Cancel();
  TakeOut(waiting);
  std::exchange(waiting->done, nullptr)(
      TransportFailure{TransportFailure::Kind::kCancelled, "cancelled", /*sendings=*/0});
}

}  // namespace pcap_gateway
