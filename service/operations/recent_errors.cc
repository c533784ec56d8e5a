#include "service/operations/recent_errors.h"

#include <algorithm>
#include <utility>

#include "service/base/mutex.h"
#include "service/source/error.h"

namespace pcap_gateway {

bool IsFault(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

void RecentErrors::Ended(const EndedCall& call) {
  if (call.reply.outcome->ok()) return;
  const Error& error = *call.reply.outcome->error;
  const absl::string_view reason = NameOf(error.reason);
  std::string request_id(call.request_id);
  if (call.query.credential != nullptr) call.query.credential->RedactFrom(request_id);
  if (!request_id.empty()) request_id = redact_(request_id);
  const Lock lock(mutex_);
  const auto same = std::find_if(errors_.begin(), errors_.end(), [&](const RecentError& one) {
    return one.code == error.code && one.reason == reason;
  });
  if (same != errors_.end()) {
    ++same->count;
    errors_.splice(errors_.begin(), errors_, same);
  } else {
    errors_.push_front({.code = error.code, .reason = std::string(reason)});
  }
  errors_.front().last = clock_.Now();
  errors_.front().message = error.message;
  errors_.front().detail = error.for_operators;
  // An error that the cache knew has none.
  if (!request_id.empty()) errors_.front().request_id = std::move(request_id);
}

std::vector<RecentError> RecentErrors::All() const {
  const Lock lock(mutex_);
  return {errors_.begin(), errors_.end()};
}

}  // namespace pcap_gateway
