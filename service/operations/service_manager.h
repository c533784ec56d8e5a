// ServiceManager: tells systemd, or who else started the program with NOTIFY_SOCKET, how it is
// doing (sd_notify(3)). Without that variable nothing happens.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_SERVICE_MANAGER_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_SERVICE_MANAGER_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// Any thread. What cannot be delivered is lost, and nobody is told: systemd knows who listens.
class ServiceManager {
 public:
  // Calls are served; also the end of a reload. `status`: one line for people.
  void Ready(absl::string_view status) const;

  // A reload begins. Ready follows, whatever came of it.
  void Reloading() const;

  // The end begins, and is over after `most`.
  void Stopping(absl::string_view status, absl::Duration most) const;

  // All is well; to be said at least every `watchdog_limit`.
  void Alive() const;

  // After which silence the manager takes this process for dead (WATCHDOG_USEC, WATCHDOG_PID);
  // infinite: never.
  static absl::Duration watchdog_limit();
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_SERVICE_MANAGER_H_
