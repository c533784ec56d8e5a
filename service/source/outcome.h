// Outcome: how one question to Cloudflare ended; Reply: an outcome as one caller gets it.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_OUTCOME_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_OUTCOME_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "service/source/error.h"
#include "service/source/ray.h"

namespace pcap_gateway {

// Of a response message: what gRPC clients accept unless told otherwise.
inline constexpr size_t kMostOutcomeBytes = 4 << 20;

// Whether the thing asked about can still change.
enum class Stage {
  kMoving,  // asked again later, it may say something else
  kQuiet,   // a list of what is final: only something new can change it
  kFinal,   // it will say this for ever
};

// When the thing asked about began, and when it is to end at the latest: what it says of itself,
// not what we saw. Infinite past: it does not say.
struct Run {
  absl::Time began = absl::InfinitePast();
  absl::Time ends = absl::InfinitePast();
};

// Immutable once shared: the cache and any number of calls in flight hold the same one.
struct Outcome {
  // When the request that brought it was sent: what it says was true then or later.
  absl::Time as_of;
  // The finished response message, serialised. Empty with an error.
  std::string message;
  Stage stage = Stage::kMoving;
  // HTTP status of the exchange that brought it; 0: there was none.
  int http_status = 0;
  Run run;
  // Set: there is no answer.
  std::unique_ptr<const Error> error;
  // Cloudflare's id of that exchange; printable ASCII, or empty.
  Ray cf_ray;

  bool ok() const { return error == nullptr; }
};

using OutcomePtr = std::shared_ptr<const Outcome>;

// How a reply came about, in the words of RFC 9211.
struct CacheStatus {
  enum class How {
    kHit,           // from a cache
    kUriMiss,       // forwarded: nothing stored
    kStale,         // forwarded: what is stored is too old for the server's policy
    kRequest,       // forwarded: what is stored is too old for this caller
    kBypass,        // forwarded: there is no cache
    kOnlyIfCached,  // not forwarded although nothing stored would do: the caller wished it so
    kNotForwarded,  // the call failed before that (no cache-status is sent)
  };
  How how = How::kNotForwarded;
  bool stored = false;     // the answer was put into the store
  bool collapsed = false;  // another call's request brought it
  bool shared = false;     // with kHit: from the tier that replicas share
  // Forwarding failed, and what is stored was given in its stead (stale-if-error).
  bool stale_if_error = false;
  // With that: the HTTP status that the request upstream got; 0: none.
  int forward_status = 0;
  // How long it stays fresh; negative: it is stale by that much. Absent: not stored.
  std::optional<absl::Duration> ttl;
};

// When Cloudflare last denied the question's credential something, as far as replicas have told
// each other. Infinite past: never, or nobody knows.
struct Denied {
  absl::Time everything = absl::InfinitePast();
  absl::Time account = absl::InfinitePast();  // the question's
};

struct Reply {
  OutcomePtr outcome;  // never null
  CacheStatus cache_status;
  absl::Duration age = absl::ZeroDuration();  // since `outcome->as_of`; never negative
  Denied denied;
};

// A reply that never got to a server: there is only the error.
inline Reply FailedReply(Error error) {
  auto outcome = std::make_shared<Outcome>();
  outcome->error = std::make_unique<const Error>(std::move(error));
  return Reply{.outcome = std::move(outcome)};
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_OUTCOME_H_
