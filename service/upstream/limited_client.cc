#include "service/upstream/limited_client.h"

#include <utility>

namespace pcap_gateway {
namespace {

// When to come again after a full queue: it says nothing of when there will be room.
constexpr absl::Duration kComeAgain = absl::Seconds(1);

}  // namespace

struct LimitedClient::Waiting {
  HttpRequest request;
  Done done;
  absl::Time give_up_at;
  Queue* queue = nullptr;  // null: its turn has come, or it was cancelled
  Queue::iterator place;
  Ticket ticket;  // once sent
};

Ticket LimitedClient::Send(HttpRequest request, Done done) {
  // Not past those who wait: this may be sent while they are just about to be.
  if (in_flight_ < options_.most_in_flight && NobodyWaits()) {
    return SendNow(std::move(request), std::move(done));
  }
  if (static_cast<int64_t>(calls_.size() + refreshes_.size()) >= options_.most_waiting) {
    stats_.refused.Add();
    std::move(done)(Withheld{Withheld::Kind::kQueueFull, kComeAgain});
    return {};
  }
  auto waiting = std::make_shared<Waiting>();
  waiting->give_up_at = clock_.Now() + request.timeout;
  waiting->queue = request.background ? &refreshes_ : &calls_;
  waiting->request = std::move(request);
  waiting->done = std::move(done);
  waiting->place = waiting->queue->insert(waiting->queue->end(), waiting);
  ++stats_.waiting;
  return Ticket([this, waiting] { Cancel(waiting); });
}

Ticket LimitedClient::SendNow(HttpRequest request, Done done) {
  if (request.is_abandoned()) {
    std::move(done)(TransportFailure{TransportFailure::Kind::kCancelled, "nobody waits for it"});
    return {};
  }
  stats_.in_flight = ++in_flight_;
  return inner_.Send(std::move(request), [this, done = std::move(done)](HttpResult result) mutable {
    stats_.in_flight = --in_flight_;
    std::move(done)(std::move(result));
    SendWaiting();
  });
}

void LimitedClient::SendWaiting() {
  // A request that ends at once comes back here: a long queue of them is no deep recursion.
  if (std::exchange(sending_waiting_, true)) return;
  while (in_flight_ < options_.most_in_flight && !NobodyWaits()) {
    Queue& queue = calls_.empty() ? refreshes_ : calls_;
    const WaitingPtr waiting = std::move(queue.front());
    queue.pop_front();
    --stats_.waiting;
    waiting->queue = nullptr;
    const absl::Duration left = waiting->give_up_at - clock_.Now();
    Done done = std::exchange(waiting->done, nullptr);
    if (left <= absl::ZeroDuration()) {
      std::move(done)(TransportFailure{TransportFailure::Kind::kTimeout, "waited for its turn"});
      continue;
    }
    waiting->request.timeout = left;
    waiting->ticket = SendNow(std::move(waiting->request), std::move(done));
  }
  sending_waiting_ = false;
}

void LimitedClient::Cancel(const WaitingPtr& waiting) {
  if (waiting->queue == nullptr) return waiting->ticket.Cancel();
  waiting->queue->erase(waiting->place);
  --stats_.waiting;
  waiting->queue = nullptr;
  std::exchange(waiting->done,
                nullptr)(TransportFailure{TransportFailure::Kind::kCancelled, "cancelled"});
}

}  // namespace pcap_gateway
