// `pcapctl wait`.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_WAIT_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_WAIT_COMMAND_H_

#include <optional>

#include "absl/time/time.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/get_command.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// The exit code when a capture ended as `failed`: the call that would use it has no use
// (FAILED_PRECONDITION).
inline constexpr int kCaptureFailed = 9;

struct WaitArguments {
  PcapArguments pcaps;
  // Between two questions. Absent: as long as the gateway keeps an answer, 1 s to 10 s.
  std::optional<absl::Duration> interval;
  // All in all. Enough for captures of minutes; who made one of hours says so.
  absl::Duration timeout = absl::Minutes(15);
};

// Asks until all captures are final, then prints them as `get` does. What may pass (UNAVAILABLE,
// RESOURCE_EXHAUSTED, a call's deadline) is waited out; any other error ends the wait for that
// capture, and so does a gateway that there was no connection to from the beginning: a name, a port
// or TLS that is wrong does not mend itself. Each cause is told when it changes. Exit code: 0, all
// ended well; 9, one ended as `failed`; that of the first error; 4 when the time is over.
int Wait(const PcapClient& client, const WaitArguments& arguments, const CallOptions& options,
         const Console& console);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_WAIT_COMMAND_H_
