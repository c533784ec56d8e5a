#include "service/cache/keeper.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/hash/hash.h"
#include "service/freshness/succession.h"

namespace pcap_gateway {

bool IsFromACache(const Reply& reply) {
  return reply.cache_status.how == CacheStatus::How::kHit || reply.cache_status.stale_if_error;
}

absl::Duration Keeper::LifetimeOf(const Key& key, const Reply& reply) const {
  // A cache has told it already.
  if (IsFromACache(reply)) return reply.age + reply.cache_status.ttl.value_or(-reply.age);
  const uint64_t seed = absl::HashOf(key, absl::ToUnixNanos(reply.outcome->as_of));
  return WithJitter(pcap_gateway::LifetimeOf(*reply.outcome, freshness_), freshness_, seed);
}

bool Keeper::MayKeep(const Outcome& outcome) const {
  return !others_write_ || (outcome.ok() && outcome.stage == Stage::kFinal);
}

CacheStatus Keeper::Keep(const Key& key, const StandingPtr& standing, OutcomePtr& outcome,
                         absl::Duration lifetime, absl::Time now) {
  CacheStatus status;
  if (lifetime <= absl::ZeroDuration() || !standing->Counts(outcome->as_of) || !MayKeep(*outcome)) {
    return status;
  }
  const std::optional<Kept> kept = store_.Peek(key);
  // From another cache, which has heard less of it since; though perhaps of its end before.
  if (kept.has_value() && kept->outcome->ok() && outcome->as_of < kept->outcome->as_of) {
    if (FallsBehind(*kept->outcome, *outcome)) {
      outcome = Confirmed(*outcome, *kept->outcome);
      return Keep(key, standing, outcome, LifetimeOf(key, {.outcome = outcome}), now);
    }
    outcome = kept->outcome;
    status.ttl = kept->fresh_until - now;
    return status;
  }
  if (kept.has_value() && FallsBehind(*outcome, *kept->outcome)) {
    outcome = Confirmed(*kept->outcome, *outcome);
    confirmed_.Add();
    return Keep(key, standing, outcome, LifetimeOf(key, {.outcome = outcome}), now);
  }
  // Final captures are not deleted: who says that one is gone lags behind. It is told to those who
  // asked, but does not make us forget.
  if (!outcome->ok() && kept.has_value() && kept->outcome->ok() &&
      kept->outcome->stage == Stage::kFinal && now < kept->fresh_until) {
    return status;
  }
  const absl::Time fresh_until = outcome->as_of + lifetime;
  status.stored = store_.Put(key,
                             {.outcome = outcome,
                              .fresh_until = fresh_until,
                              .refresh_at = RefreshAt(*outcome, fresh_until)},
                             standing);
  if (status.stored) status.ttl = fresh_until - now;
  return status;
}

void Keeper::KeepParts(const Endpoint& endpoint, const Key& key_of_list,
                       const StandingPtr& standing, bool outdated, std::vector<Part>& parts,
                       OutcomePtr& list, absl::Time now) {
  const Endpoint& one = *endpoint.one;
  bool is_behind = false;
  for (Part& part : parts) {
    if (part.resource == Id()) continue;
    Key key = key_of_list;
    key.resource = part.resource;
    key.endpoint = one.number;
    const std::optional<Kept> kept = store_.Peek(key);
    const bool is_older = kept.has_value() && part.outcome->as_of < kept->outcome->as_of;
    if (!outdated && !(is_older && !kept->outcome->ok())) {
      OutcomePtr outcome = part.outcome;
      const absl::Duration lifetime = LifetimeOf(key, {.outcome = outcome});
      Keep(key, standing, outcome, lifetime, now);
    }
    if (kept.has_value() && FallsBehind(*part.outcome, *kept->outcome)) {
      std::vector<Part> known = one.parts(*kept->outcome);
      if (known.empty()) continue;
      part.outcome = std::move(known.front().outcome);
      is_behind = true;
    }
  }
  if (is_behind) {
    list = std::make_shared<const Outcome>(endpoint.with_parts(*list, parts));
  }
}

void Keeper::PutListRight(const Endpoint& endpoint, const Key& key_of_one,
                          const StandingPtr& standing, const Outcome& outcome) {
  if (!outcome.ok() || outcome.stage != Stage::kFinal) return;
  Key key = key_of_one;
  key.resource = Id();
  key.endpoint = endpoint.list->number;
  std::optional<Kept> kept = store_.Peek(key);
  if (!kept.has_value() || !kept->outcome->ok() || kept->outcome->stage != Stage::kMoving) return;
  std::vector<Part> parts = endpoint.list->parts(*kept->outcome);
  for (Part& part : parts) {
    if (part.resource != key_of_one.resource || !FallsBehind(*part.outcome, outcome)) continue;
    std::vector<Part> known = endpoint.parts(outcome);
    if (known.empty()) return;
    part.outcome = std::move(known.front().outcome);
    kept->outcome =
        std::make_shared<const Outcome>(endpoint.list->with_parts(*kept->outcome, parts));
    store_.Put(key, *std::move(kept), standing);
    return;
  }
}

}  // namespace pcap_gateway
