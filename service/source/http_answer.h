// HttpAnswer: what a server upstream said, whatever its status. A 404 or a 500 is an answer; only
// "no answer" is not.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_HTTP_ANSWER_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_HTTP_ANSWER_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace pcap_gateway {

// Headers are as they came, without the white space around them; empty where the answer has none.
// They are foreign text: nothing here may go into gRPC metadata unchecked.
struct HttpAnswer {
  int status = 0;  // 200 to 599
  std::string body;
  std::string content_type;
  std::string content_encoding;
  std::string cf_mitigated;  // "challenge": Cloudflare's edge wants a browser to prove itself
  std::string cf_ray;
  std::string retry_after;
  std::string ratelimit;
  std::string ratelimit_policy;
  // Of the body, those bytes that the request's sink took instead of `body`.
  int64_t sunk_bytes = 0;
  // How often the request was sent until it came; 1 or more.
  int sendings = 1;
  // From when the request left our own queue (LimitedClient fills it in) to the answer's end.
  absl::Duration out = absl::ZeroDuration();
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_HTTP_ANSWER_H_
