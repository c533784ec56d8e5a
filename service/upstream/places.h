// Places: the times that refused callers were told to come again at, and that a request is kept for
// them until then.
//
//   places.Keep(question, "ipv4:10.1.2.3", bucket);
//   if (places.BucketOf(question) == now) places.Take(question, now);
//
// A place is kept for its question for a moment after its time. What a place is worth goes by how
// many of the latest ones were taken: those who are there lose nothing to callers who stay away.
// Where no place is left, the next one is worth a request again: it may be for other callers.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_PLACES_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_PLACES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

// Time is in buckets, which never go back. Not thread-safe.
class Places {
 public:
  // The question's bucket; absent: it has no place.
  std::optional<int64_t> BucketOf(uint64_t question) const;

  // Keeps a place in `bucket`, a later one than now's. The question has none.
  void Keep(uint64_t question, absl::string_view caller, int64_t bucket);

  // Gives up the question's place: it was taken, or is of no use any more. Returns whose it was;
  // absent: it had none.
  std::optional<std::string> Take(uint64_t question, int64_t now);

  // Gives up the places that nobody came for. Returns whose they were.
  std::vector<std::string> Forget(int64_t now);

  bool empty() const { return places_.empty(); }

  struct Bucket {
    int64_t places = 0;
    std::vector<uint64_t> questions;  // those that have had a place in it
  };
  // All that have had a place which may still be taken; those before now's among them.
  const std::map<int64_t, Bucket>& buckets() const { return buckets_; }

  // The part of places, 0 to 1, that is taken in the end.
  double taken() const { return taken_; }

 private:
  struct Place {
    int64_t bucket;
    std::string caller;
  };

  void Note(bool taken);

  absl::flat_hash_map<uint64_t, Place> places_;
  std::map<int64_t, Bucket> buckets_;
  double taken_ = 1;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_PLACES_H_
