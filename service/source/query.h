// Query: what one caller wants to know, and how fresh.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_QUERY_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_QUERY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "service/source/body_sink.h"
#include "service/source/credential.h"
#include "service/source/endpoint.h"
#include "service/source/id.h"
#include "service/source/latest_deadline.h"

namespace pcap_gateway {

// What a caller sent along so that its request can be found again, at Cloudflare too. Validated:
// printable ASCII, or empty.
struct Trace {
  std::string traceparent;
  std::string tracestate;
  std::string request_id;
};

// What an answer is filed under: equal keys may share one answer, different keys never do.
struct Key {
  Partition partition{};
  Id account;
  Id resource;
  uint8_t endpoint = 0;

  Subject subject() const { return {account, resource, endpoint}; }

  friend bool operator==(const Key& a, const Key& b) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    return H::combine(std::move(h), key.partition, key.account, key.resource, key.endpoint);
  }
};

struct Query {
  const Endpoint* endpoint = nullptr;
  std::shared_ptr<const Credential> credential;
  Id account;
  // The capture or bucket; all zeros where the endpoint names none.
  Id resource;
  // Several captures, sorted, each once; null: `resource` alone.
  std::shared_ptr<const std::vector<Id>> resources;
  // How old the answer may be. Infinite: the server's policy decides. Zero: only one asked for
  // from now on.
  absl::Duration max_age = absl::InfiniteDuration();
  // The answer of a cache or none: nothing is to be asked upstream (RFC 9111, 5.2.1.7).
  bool only_if_cached = false;
  // It refreshes what is kept, and gives way to those that are waited for. A call that comes
  // meanwhile may join it: while `latest_deadline` says that somebody waits, it is a call like any
  // other.
  bool background = false;
  // What is to be written, as JSON; null: nothing is sent with it. May hold secrets.
  std::shared_ptr<const std::string> body;
  // The caller's name for a write, by which it is known again (AIP-155); empty: it has none.
  std::string write_id;
  // No answer is of use after this.
  absl::Time deadline = absl::InfiniteFuture();
  // The same for a question that many ask, of whom more may come; null: `deadline` says all. When
  // all have left, what was sent ends by itself, and is kept; what was not is given up, with
  // CANCELLED, unless it is a refresh.
  std::shared_ptr<const LatestDeadline> latest_deadline;
  Trace trace;
  // On whose account it is asked: a certificate's name, else an address without its port. Null:
  // nobody's, as nobody waits. Filled in only when the answer is not at hand.
  std::shared_ptr<const std::string> caller;
  // Counts the requests that this question has sent upstream, repeated ones each; what another
  // question's request answered counts there. Null: nobody wants to know.
  std::shared_ptr<std::atomic<int>> requests_sent;
  // Takes the body of the answer, if that is what Endpoint::is_content wants; the outcome then has
  // no message. Null: it is collected.
  std::shared_ptr<BodySink> sink;

  // All who asked it have left. Somebody may join it at any moment.
  bool is_abandoned() const {
    return !background && latest_deadline != nullptr && latest_deadline->nobody_waits();
  }

  // Whether what answers it may be kept, and given to others who ask the same.
  bool may_be_kept() const { return endpoint->effect == Effect::kReads && sink == nullptr; }

  Subject subject() const { return {account, resource, endpoint->number}; }
  // What it outdates by success.
  std::vector<Subject> outdates() const {
    return endpoint->outdates == nullptr ? std::vector<Subject>() : endpoint->outdates(*this);
  }

  Key key() const { return {credential->partition(), account, resource, endpoint->number}; }
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_QUERY_H_
