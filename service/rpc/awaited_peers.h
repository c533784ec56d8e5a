// AwaitedPeers: the calls and streams of one queue that wait for their peer, to send its first
// message or to take what it was sent; and the bound on them.
//
// A peer that opens streams and says nothing costs some 15 KiB for each. It is waited for so long,
// and when there is no room for another stream, one of those gives way that have waited longest: a
// peer that means its call sends the message at once, and is never one of them for long. Among them
// it is one of the connection that has most of them. Else a single call, late by chance, would make
// room for a peer that opens thousands.
#ifndef PCAP_GATEWAY_SERVICE_RPC_AWAITED_PEERS_H_
#define PCAP_GATEWAY_SERVICE_RPC_AWAITED_PEERS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "service/source/error.h"

namespace pcap_gateway {

// Bounds on what peers may keep open.
struct StreamLimits {
  int64_t most = 0;                // that wait for no answer from upstream; 0: any number
  int64_t most_of_connection = 0;  // 0: any number
  absl::Duration longest_wait = absl::Seconds(10);  // for a peer; above 0
  // For one to read a message of a stream of answers; above 0.
  absl::Duration longest_read = absl::Seconds(60);
};

// Somebody who waits for a peer. In one list at most.
class AwaitedPeer {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Why { kLate, kNoRoom };

 protected:
  AwaitedPeer() : before_(this), after_(this) {}
  ~AwaitedPeer() { Unlink(); }
  AwaitedPeer(const AwaitedPeer&) = delete;
  AwaitedPeer& operator=(const AwaitedPeer&) = delete;

 private:
  friend class AwaitedPeers;

  // Its connection's address.
  virtual std::string Connection() const = 0;

  // It is not waited for any more, and has left the list. May wait again, for the end that it
  // sends.
  virtual void GiveUp(Why why) = 0;

  void Unlink() {
    before_->after_ = after_;
    after_->before_ = before_;
    before_ = after_ = this;
  }

  AwaitedPeer* before_;
  AwaitedPeer* after_;
  Clock::time_point since_;
};

// What a peer is told that was given up on before it sent its first message.
Error GivenUp(AwaitedPeer::Why why);

// One thread. Nothing here costs more than a few instructions.
class AwaitedPeers {
 public:
  // Of `most`, half are for those that are waited for, and half for those that stay; 0: any number.
  // Each is waited for as long as `longest`, above 0.
  AwaitedPeers(int64_t most, AwaitedPeer::Clock::duration longest)
      : most_(most == 0 ? 0 : (most + 1) / 2), longest_(longest) {}

  // Not twice for one that has not left.
  void Add(AwaitedPeer& peer, AwaitedPeer::Clock::time_point now);
  // Nothing, where it has left.
  void Remove(AwaitedPeer& peer);

  // Makes room for one more that is waited for, if need be by giving up on one of the oldest.
  void MakeRoom();

  // Places for streams that stay although nobody is waited for: health watches, reflection between
  // two questions.
  bool HasPlaceToStay() const { return most_ == 0 || staying_ < most_; }
  void Stay() { ++staying_; }
  void StayNoMore() { --staying_; }

  // Gives up on those that were waited for too long.
  void GiveUpLate(AwaitedPeer::Clock::time_point now);

 private:
  class End final : public AwaitedPeer {
    std::string Connection() const override { return ""; }
    void GiveUp(Why) override {}
    friend class AwaitedPeers;
  };

  AwaitedPeer& WhoGivesWay();
  void GiveUp(AwaitedPeer& peer, AwaitedPeer::Why why);

  const int64_t most_;  // of each kind
  const AwaitedPeer::Clock::duration longest_;
  int64_t awaited_ = 0;
  int64_t staying_ = 0;
  End end_;  // the oldest is after it
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_AWAITED_PEERS_H_
