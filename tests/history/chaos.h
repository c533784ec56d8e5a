// Chaos: what befalls a Redis, by the number of the call that is under way.
#ifndef PCAP_GATEWAY_TESTS_HISTORY_CHAOS_H_
#define PCAP_GATEWAY_TESTS_HISTORY_CHAOS_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "tests/support/redis_server.h"

namespace pcap_gateway {

// Thread-safe.
class Chaos {
 public:
  Chaos(uint64_t seed, RedisServer& redis) : random_(seed), redis_(redis) {}

  // Ends what was begun some calls ago, and now and then begins something: Redis is killed, stands
  // still, forgets everything, or holds values that were spoilt, or swapped between entries.
  void Befall(uint64_t call);

  // Redis runs once more.
  void End();

  // Grows before and after each thing that befalls it: odd while one does.
  uint64_t events() const { return events_; }
  int kills() const { return kills_; }
  int pauses() const { return pauses_; }
  int spoilt() const { return spoilt_; }

 private:
  void Spoil();

  std::mutex mutex_;  // guards all below
  std::mt19937_64 random_;
  RedisServer& redis_;
  bool killed_ = false;
  bool paused_ = false;
  int kills_ = 0;
  int pauses_ = 0;
  int spoilt_ = 0;
  std::atomic<uint64_t> events_{0};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_HISTORY_CHAOS_H_
