#include "service/operations/recent_errors.h"

#include <algorithm>

#include "service/source/error.h"

namespace pcap_gateway {

void RecentErrors::Ended(const EndedCall& call) {
  if (call.reply.outcome->ok()) return;
  const Error& error = *call.reply.outcome->error;
  const absl::string_view reason = NameOf(error.reason);
  const std::lock_guard lock(mutex_);
  const auto same = std::find_if(errors_.begin(), errors_.end(), [&](const RecentError& one) {
    return one.code == error.code && one.reason == reason && one.message == error.message;
  });
  if (same != errors_.end()) {
    ++same->count;
    errors_.splice(errors_.begin(), errors_, same);
  } else {
    errors_.push_front(
        {.code = error.code, .reason = std::string(reason), .message = error.message});
    if (errors_.size() > most_) errors_.pop_back();
  }
  errors_.front().last = clock_.Now();
  // An error that the cache knew has none.
  if (!call.request_id.empty()) errors_.front().request_id = std::string(call.request_id);
}

std::vector<RecentError> RecentErrors::All() const {
  const std::lock_guard lock(mutex_);
  return {errors_.begin(), errors_.end()};
}

}  // namespace pcap_gateway
