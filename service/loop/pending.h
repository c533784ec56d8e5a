// Pending: somebody who waits for a result, and what is under way for it.
//
//   pending.Hold(client.Send(
//       request, [&](HttpResult result) { pending.Finish(std::move(result)); }));
//   pending.Cancel(TransportFailure{.kind = TransportFailure::Kind::kCancelled});
#ifndef PCAP_GATEWAY_SERVICE_LOOP_PENDING_H_
#define PCAP_GATEWAY_SERVICE_LOOP_PENDING_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "service/base/ticket.h"

namespace pcap_gateway {

// Used by one thread at a time. May be destroyed by what it calls only where its owner outlives the
// call.
template <typename Result>
class Pending {
 public:
  using Done = absl::AnyInvocable<void(Result) &&>;

  // Nobody waits.
  Pending() = default;
  // `done` runs once, at the first Finish; without a Finish it does not run.
  explicit Pending(Done done) : done_(std::move(done)) {}

  // Whether there is no result yet.
  bool open() const { return static_cast<bool>(done_); }

  // What Cancel is to end, in place of what was held before. Dropped where the result is there
  // already, as what ends at once has its result before its ticket.
  void Hold(Ticket under_way) {
    if (open()) held_ = std::move(under_way);
  }

  // The first result counts; the others have no effect.
  void Finish(Result result) {
    if (!open()) return;
    held_ = Ticket();
    std::exchange(done_, nullptr)(std::move(result));
  }

  // Ends what is under way, which may give a result; else this is it.
  void Cancel(Result if_still_open) {
    std::exchange(held_, Ticket()).Cancel();
    Finish(std::move(if_still_open));
  }

 private:
  Done done_;  // empty: it has run, or nobody waits
  Ticket held_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_LOOP_PENDING_H_
