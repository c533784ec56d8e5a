// What a call of the gateway brings beside its messages.
#ifndef PCAP_CLIENT_ANSWER_H_
#define PCAP_CLIENT_ANSWER_H_

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace pcap_client {

// What the gateway says about an answer, beside the answer.
struct AnswerInfo {
  std::string cache_status;           // RFC 9211, e.g. "pcap-gateway; hit; ttl=27"; empty: not said
  std::optional<absl::Duration> age;  // since Cloudflare gave the answer, whole seconds
  std::string request_id;             // the call's name in the gateway's logs; empty: not said
  std::string cf_ray;                 // the upstream request's name at Cloudflare; empty: not said
};

template <typename Response>
struct Answer {
  Response response;
  AnswerInfo info;
};

}  // namespace pcap_client

#endif  // PCAP_CLIENT_ANSWER_H_
