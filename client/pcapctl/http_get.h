// HttpGet: fetches a page of the gateway's admin port.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_HTTP_GET_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_HTTP_GET_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace pcap_client {

// The body of `http://ADDRESS/PATH`, once it has come whole. `address`: HOST:PORT. Blocks for up to
// `timeout`. UNAVAILABLE: nobody there answers with status 200; DEADLINE_EXCEEDED: not in time;
// DATA_LOSS: the answer broke off, or is larger than a page of metrics can be (4 MiB);
// INVALID_ARGUMENT: `address` is no host and port. The environment's proxies are not used.
absl::StatusOr<std::string> HttpGet(const std::string& address, const std::string& path,
                                    absl::Duration timeout);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_HTTP_GET_H_
