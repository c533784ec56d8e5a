#include "service/rpc/awaited_peers.h"

namespace pcap_gateway {

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
  if (most_ > 0 && awaited_ >= most_) GiveUpOldest(AwaitedPeer::Why::kNoRoom);
}

void AwaitedPeers::GiveUpLate(AwaitedPeer::Clock::time_point now) {
  AwaitedPeer& end = end_;
  // Those that wait again are not as old any more.
  while (end.after_ != &end && now - end.after_->since_ >= longest_) {
    GiveUpOldest(AwaitedPeer::Why::kLate);
  }
}

void AwaitedPeers::GiveUpOldest(AwaitedPeer::Why why) {
  AwaitedPeer& end = end_;
  AwaitedPeer& oldest = *end.after_;
  Remove(oldest);
  oldest.GiveUp(why);
}

}  // namespace pcap_gateway
