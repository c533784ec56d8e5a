// Budget rules: the numbers that the budget of one process (upstream/budget) and the one that
// replicas share (shared/spend.lua) have in common.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_BUDGET_RULES_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_BUDGET_RULES_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace pcap_gateway::budget_rules {

// A window is counted in slots, half a second of five minutes each, and planned in buckets of
// slots.
inline constexpr int64_t kSlotsOfWindow = 600;
inline constexpr int64_t kSlotsOfBucket = 5;
inline constexpr int64_t kBucketsOfWindow = kSlotsOfWindow / kSlotsOfBucket;

// What each caller has had is counted more coarsely.
inline constexpr int64_t kPartsOfWindow = 20;
// Callers that are told apart. Of more, the one with the least to its name is forgotten: what it
// spent is counted all the same.
inline constexpr size_t kMostCallers = 128;
// A caller is quiet that has not asked for so many times as long as it usually takes to ask again;
// but never before the second of these, and always after the third.
inline constexpr int64_t kQuietAfterTimes = 10;
inline constexpr absl::Duration kQuietAfterAtLeast = absl::Seconds(2);
inline constexpr absl::Duration kQuietAfterAtMost = absl::Seconds(30);

// A place may be taken in its bucket, and in the next ones up to this many in all.
inline constexpr int64_t kBucketsToCome = 2;
// So much does the latest place count for in the part of places that is taken: after a few that
// nobody came for it is small, and it is as soon large again.
inline constexpr double kLatestPlace = 1.0 / 8;

// Who has had less than this share of its part may take what is held for such callers.
inline constexpr double kLittle = 0.5;

// Callers who have had their part are lent what is free, one request each time in which so many
// would fit at an even pace.
inline constexpr int64_t kLendEach = 2;

// A request that was granted to a replica and never reported over is taken to be so after this
// long.
inline constexpr absl::Duration kLongestRequest = absl::Minutes(2);

}  // namespace pcap_gateway::budget_rules

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_BUDGET_RULES_H_
