// Untold: what Redis could not be told, and is told when it is back.
//
//   Untold<std::string> untold(clock);
//   untold.Remember("name", clock.Now(), "word");
//   untold.Tell([&](const auto& name, const auto& known, RedisClient::Done done) {
//     redis.Send({"SET", name, known.what}, std::move(done));
//   });
#ifndef PCAP_GATEWAY_SERVICE_SHARED_UNTOLD_H_
#define PCAP_GATEWAY_SERVICE_SHARED_UNTOLD_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/shared/redis_client.h"

namespace pcap_gateway {

// Whether Redis did what it was told. Absent: it did not reply.
inline bool IsDone(const std::optional<RedisReply>& reply) {
  return reply.has_value() && reply->kind != RedisReply::Kind::kError;
}

// One thread. `What` goes with each name, and is copied.
template <typename What = std::monostate>
class Untold {
 public:
  struct Known {
    absl::Time at;  // by our clock
    What what;
    int on_its_way = 0;  // replies to come
  };

  // `clock` and this outlive the replies.
  explicit Untold(const Clock& clock) : clock_(clock) {}

  // It happened at `at`. The latest time of a name counts.
  void Remember(const std::string& name, absl::Time at, What what = {}) {
    if (known_.size() >= kMost && !known_.contains(name)) ForgetOldest();
    Known& known = known_.try_emplace(name, Known{at, std::move(what)}).first->second;
    known.at = std::max(known.at, at);
  }

  // When it happened, where Redis has not said yet that it knows it; else absent. Where too much
  // has happened to know each, rather too late than too early.
  std::optional<absl::Time> Find(const std::string& name) const {
    const auto known = known_.find(name);
    if (known != known_.end()) return std::max(known->second.at, forgotten_until_);
    if (forgotten_until_ == absl::InfinitePast()) return std::nullopt;
    return forgotten_until_;
  }

  // Has `send(name, known, done)` tell Redis each that is not on its way; none, where Redis refused
  // one within the last second. Each is known here until Redis has said that it knows it: who
  // looked into Redis before that, and hears of it later, is to know it, too.
  template <typename Send>
  void Tell(const Send& send) {
    if (known_.empty() || clock_.Now() < again_at_) return;
    for (auto& [name, known] : known_) {
      if (known.on_its_way == 0) TellOne(name, known, send);
    }
  }

  // The same with the one of this name, at once.
  template <typename Send>
  void Tell(const std::string& name, const Send& send) {
    const auto found = known_.find(name);
    if (found != known_.end()) TellOne(name, found->second, send);
  }

 private:
  static constexpr size_t kMost = 1000;
  static constexpr absl::Duration kAgainAfter = absl::Seconds(1);

  void ForgetOldest() {
    const auto oldest =
        std::min_element(known_.begin(), known_.end(),
                         [](const auto& a, const auto& b) { return a.second.at < b.second.at; });
    forgotten_until_ = std::max(forgotten_until_, oldest->second.at);
    known_.erase(oldest);
  }

  // Redis' client says at once that it cannot send, but never that Redis replied.
  template <typename Send>
  void TellOne(const std::string& name, Known& known, const Send& send) {
    ++known.on_its_way;
    send(name, known, [this, name, at = known.at](const std::optional<RedisReply>& reply) {
      if (reply.has_value() && !IsDone(reply)) again_at_ = clock_.Now() + kAgainAfter;
      const auto found = known_.find(name);
      if (found == known_.end()) return;
      // Unless it has happened again since.
      if (IsDone(reply) && found->second.at == at) {
        known_.erase(found);
      } else if (found->second.on_its_way > 0) {  // another one may have its name
        --found->second.on_its_way;
      }
    });
  }

  const Clock& clock_;
  absl::flat_hash_map<std::string, Known> known_;
  // Of those that there was no room for, the latest.
  absl::Time forgotten_until_ = absl::InfinitePast();
  absl::Time again_at_ = absl::InfinitePast();
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_UNTOLD_H_
