// Texts of spans: what of a call's and a request's words goes into them. No secret does.
#ifndef PCAP_GATEWAY_SERVICE_TRACING_SPAN_TEXTS_H_
#define PCAP_GATEWAY_SERVICE_TRACING_SPAN_TEXTS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// Where a URL or a peer is.
struct Place {
  std::string host;  // a name, or an address without brackets
  int port = 0;      // 0: not known

  friend bool operator==(const Place& a, const Place& b) = default;
};

// Of an absolute http or https URL, whose port is the scheme's where it names none. Empty where it
// is none.
Place PlaceOfUrl(absl::string_view url);

// Of a peer as gRPC writes it: "ipv4:127.0.0.1:40112", "ipv6:%5B::1%5D:40112". Empty where it is
// none of these, such as for a Unix socket.
Place PlaceOfPeer(absl::string_view peer);

// `url` without user, password, query and fragment, where secrets stand.
std::string UrlForSpans(absl::string_view url);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_TRACING_SPAN_TEXTS_H_
