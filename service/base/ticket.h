// Ticket: the asker's hold on what is under way for it.
#ifndef PCAP_GATEWAY_SERVICE_BASE_TICKET_H_
#define PCAP_GATEWAY_SERVICE_BASE_TICKET_H_

#include <utility>

#include "absl/functional/any_invocable.h"

namespace pcap_gateway {

// Dropping it cancels nothing.
class Ticket {
 public:
  // A question that needs no cancelling: it is answered already.
  Ticket() = default;
  // `cancel` runs at most once, at Cancel().
  explicit Ticket(absl::AnyInvocable<void() &&> cancel) : cancel_(std::move(cancel)) {}

  // Ends the wait: if `done` has not run yet, it runs soon (perhaps inside this call) with an error
  // of code CANCELLED; a task for a later time (Loop::After) does not run any more. No effect after
  // that, or a second time. Not thread-safe against itself.
  void Cancel() {
    if (cancel_) std::exchange(cancel_, nullptr)();
  }

 private:
  absl::AnyInvocable<void() &&> cancel_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_TICKET_H_
