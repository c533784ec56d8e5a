#include "service/rpc/open_streams.h"

#include <grpc/support/time.h>

#include <utility>

#include "service/rpc/health.h"

namespace pcap_gateway {

OpenStreams::OpenStreams(grpc::AsyncGenericService& service, const StreamMethods& methods,
                         StreamStats& stats, StreamLimitStats& limit_stats,
                         ConnectionShares& shares, const Current<Policy>& policy, bool certificates,
                         CallQueue& queue)
    : service_(service),
      methods_(methods),
      stats_(stats),
      limit_stats_(limit_stats),
      shares_(shares),
      policy_(policy),
      certificates_(certificates),
      queue_(queue) {
  if (certificates) queue.SetTick([this] { LookAtAll(); });
}

// Ending one removes it later, by its events.
void OpenStreams::LookAtAll() {
  for (LastingStream* const stream : open_) stream->Look();
}

void OpenStreams::Refresh() {
  if (refreshing_.exchange(true)) return;
  refresh_.Set(&queue_.queue(), gpr_time_0(GPR_CLOCK_MONOTONIC), &refreshed_);
}

void OpenStreams::End() {
  ending_ = true;
  Refresh();
}

// Streams start operations here, whose events come later: none is removed meanwhile.
void OpenStreams::RefreshAll(bool) {
  refreshing_.exchange(false);  // before the look at what has changed
  for (LastingStream* const stream : open_) stream->Refresh();
}

void OpenStreams::Add(LastingStream& stream) { open_.insert(&stream); }

void OpenStreams::Remove(LastingStream& stream) { open_.erase(&stream); }

void OpenStreams::Leave(const std::string& connection) { shares_.Remove(connection); }

std::optional<Error> OpenStreams::CheckRoom(const std::string& connection, absl::string_view path) {
  AwaitedPeers& peers = queue_.peers();
  // A check is brief: whoever asks to learn whether the gateway lives is not to find it full.
  if (path != kHealthCheckPath && !peers.HasPlaceToStay()) return NoPlaceToStay();
  if (!shares_.Add(connection)) {
    return Refused(
        "this connection has as many streams open as --max-streams-per-connection allows");
  }
  return std::nullopt;
}

Error OpenStreams::NoPlaceToStay() {
  return Refused("the gateway has as many streams open as --max-streams allows");
}

Error OpenStreams::Refused(std::string why) {
  limit_stats_.refused.Add();
  return Error(absl::StatusCode::kResourceExhausted, Reason::kTooManyStreams, std::move(why));
}

void OpenStreams::CountGivenUp(AwaitedPeer::Why why) {
  (why == AwaitedPeer::Why::kLate ? limit_stats_.late : limit_stats_.refused).Add();
}

std::unique_ptr<StreamHandler> OpenStreams::HandlerFor(const std::string& path,
                                                       Stream& stream) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : found->second(stream);
}

}  // namespace pcap_gateway
