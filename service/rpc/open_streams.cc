#include "service/rpc/open_streams.h"

#include <grpc/support/time.h>

namespace pcap_gateway {

OpenStreams::OpenStreams(grpc::AsyncGenericService& service, const StreamMethods& methods,
                         StreamStats& stats, const Current<Policy>& policy, CallQueue& queue)
    : service_(service), methods_(methods), stats_(stats), policy_(policy), queue_(queue) {}

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
  for (Stream* stream : open_) stream->Refresh();
}

void OpenStreams::Add(Stream& stream) {
  queue_.CallBegins();
  open_.insert(&stream);
}

std::unique_ptr<StreamHandler> OpenStreams::HandlerFor(const std::string& path,
                                                       Stream& stream) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : found->second(stream);
}

}  // namespace pcap_gateway
