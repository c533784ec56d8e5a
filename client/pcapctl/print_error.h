// A failed call as lines for people; what pcapctl prints on stderr.
//
//   pcapctl: RESOURCE_EXHAUSTED: Cloudflare's rate limit is used up
//     reason       RATE_LIMITED
//     retry after  30 s
//     request id   01J9Z3…
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_ERROR_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_ERROR_H_

#include <string>

#include "absl/strings/string_view.h"
#include "pcap_client/call_error.h"

namespace pcap_client {

// Lines, each ended by a newline, with nothing in them that a terminal would act on. What the error
// does not know has no line. `subject`: what failed, where there are several; empty: it is clear.
std::string ErrorLines(const CallError& error, absl::string_view subject = "");

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_ERROR_H_
