#include "service/watch/watches.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "service/source/cancelled.h"

namespace pcap_gateway {

Watches::Watches(Source& source, WatchOptions options, Loop& loop, const Clock& clock)
    : source_(source), options_(options), loop_(loop), clock_(clock) {}

Watches::~Watches() = default;

Ticket Watches::Follow(Query query, Each each, Done done) {
  auto watcher = std::make_shared<Watcher>(std::move(query), std::move(each), std::move(done));
  loop_.Post([this, watcher] { Join(watcher); });
  return Ticket([this, watcher] {
    loop_.Post([watcher] {
      if (watcher->round != nullptr) watcher->round->End(*watcher, CancelledReply());
    });
  });
}

void Watches::SetServiceCredential(std::shared_ptr<const Credential> credential) {
  loop_.Post([this, credential = std::move(credential)] {
    service_credential_ = credential;
    for (const auto& [key, round] : rounds_) {
      if (round->credential().owner() != Credential::Owner::kGateway) continue;
      round->SetCredential(credential);
    }
  });
}

void Watches::Written(const Query& write) {
  for (const Subject& subject : write.outdates()) {
    if (subject.endpoint != options_.list->number) continue;
    loop_.Post([this, account = subject.account] { Outdate(account); });
  }
}

std::vector<Watches::Audience> Watches::Largest(size_t most) const {
  std::vector<Audience> all;
  {
    const Lock lock(mutex_);
    for (const auto& [who, watches] : watched_) all.push_back({who.first, who.second, watches});
  }
  const auto end = all.begin() + static_cast<ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const Audience& a, const Audience& b) {
    return std::tie(b.watches, a.account, a.caller) < std::tie(a.watches, b.account, b.caller);
  });
  all.erase(end, all.end());
  return all;
}

void Watches::Count(const Query& query, int64_t by) {
  stats_.watchers.fetch_add(by);
  std::pair<std::string, Id> who(query.caller == nullptr ? "" : *query.caller, query.account);
  const Lock lock(mutex_);
  const auto place = watched_.try_emplace(std::move(who), 0).first;
  place->second += by;
  if (place->second == 0) watched_.erase(place);
}

void Watches::Join(const WatcherPtr& watcher) {
  const Query& query = watcher->query;
  const bool is_gateways = query.credential->owner() == Credential::Owner::kGateway;
  const RoundKey key(is_gateways ? Partition{} : query.credential->partition(), query.account);
  RoundPtr& place = rounds_[key];
  if (place == nullptr) {
    place = std::make_shared<Round>(
        Round::Surroundings{source_, options_, loop_, clock_, stats_}, query.account,
        is_gateways && service_credential_ != nullptr ? service_credential_ : query.credential,
        [this, key](Round& round, const Watcher& watcher) {
          Count(watcher.query, -1);
          if (round.over()) rounds_.erase(key);
        });
  }
  const RoundPtr round = place;
  Count(query, 1);
  round->Join(watcher);
}

// What was asked for so far may be from before the write.
void Watches::Outdate(const Id& account) {
  for (const auto& [key, round] : rounds_) {
    if (key.second == account) round->Outdate();
  }
}

}  // namespace pcap_gateway
