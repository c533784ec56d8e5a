#include "service/rpc/awaited_peers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace pcap_gateway {
namespace {

// Of which one gives way.
constexpr int kOldest = 16;

}  // namespace

Error GivenUp(AwaitedPeer::Why why) {
  if (why == AwaitedPeer::Why::kNoRoom) {
    return Error(absl::StatusCode::kResourceExhausted, Reason::kTooManyStreams,
                 "its message had not come, and others needed its place (--max-streams)");
  }
  return Error(absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
               "its first message did not come in time (--first-message-timeout)");
}

void AwaitedPeers::Add(AwaitedPeer& peer, AwaitedPeer::Clock::time_point now) {
  AwaitedPeer& end = end_;
  peer.since_ = now;
  peer.before_ = end.before_;
  peer.after_ = &end;
  end.before_->after_ = &peer;
  end.before_ = &peer;
  ++awaited_;
}

void AwaitedPeers::Remove(AwaitedPeer& peer) {
  if (peer.after_ == &peer) return;
  peer.Unlink();
  --awaited_;
}

void AwaitedPeers::MakeRoom() {
  if (most_ > 0 && awaited_ >= most_) GiveUp(WhoGivesWay(), AwaitedPeer::Why::kNoRoom);
}

// A connection's name costs a copy or two, so no more than a few are looked at, and only when there
// is no room.
AwaitedPeer& AwaitedPeers::WhoGivesWay() {
  struct Share {
    std::string connection;
    int peers;
    AwaitedPeer* oldest;
  };
  std::vector<Share> shares;
  AwaitedPeer* peer = end_.after_;
  for (int seen = 0; seen < kOldest && peer != &end_; ++seen, peer = peer->after_) {
    std::string connection = peer->Connection();
    const auto its = std::find_if(shares.begin(), shares.end(), [&](const Share& share) {
      return share.connection == connection;
    });
    if (its != shares.end()) {
      ++its->peers;
    } else {
      shares.push_back({std::move(connection), 1, peer});
    }
  }
  // The first of several.
  return *std::max_element(shares.begin(), shares.end(), [](const Share& a, const Share& b) {
            return a.peers < b.peers;
          })->oldest;
}

void AwaitedPeers::GiveUpLate(AwaitedPeer::Clock::time_point now) {
  AwaitedPeer& end = end_;
  // Those that wait again are not as old any more.
  while (end.after_ != &end && now - end.after_->since_ >= longest_) {
    GiveUp(*end.after_, AwaitedPeer::Why::kLate);
  }
}

void AwaitedPeers::GiveUp(AwaitedPeer& peer, AwaitedPeer::Why why) {
  Remove(peer);
  peer.GiveUp(why);
}

}  // namespace pcap_gateway
