// Route: where a request went; what libcurl says of its failure, for operators and for callers.
//
//   words: "Failed to connect to api.example.com port 443 after 3 ms: Couldn't connect to server"
//   ForOperators(words, route)  "api.example.com port 443, directly, at 192.0.2.1: Failed to …"
//   ForCallers(words, route)    "Failed to connect to the upstream after 3 ms: Couldn't …"
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_ROUTE_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_ROUTE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

struct HostPort {
  std::string host;  // a name or an IP address, without brackets; empty: there is none
  std::string port;
};

// Of an absolute URL; `other_port` is that of one that names none and is not https.
HostPort HostPortOf(absl::string_view url, absl::string_view other_port);

struct Route {
  HostPort upstream;
  HostPort proxy;                      // without a host: none
  std::vector<std::string> addresses;  // that were tried, or that the connection goes to
};

// `words`: any bytes. Without secrets and HTML, in printable ASCII, of a bounded length. Pure and
// thread-safe, as is the next one.
std::string ForOperators(absl::string_view words, const Route& route);

// As ForOperators, without the route, and with no address, host or port of it or any other.
std::string ForCallers(absl::string_view words, const Route& route);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_ROUTE_H_
