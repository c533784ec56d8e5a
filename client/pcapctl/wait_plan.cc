#include "client/pcapctl/wait_plan.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace pcap_client {
namespace {

constexpr absl::Duration kShortest = absl::Seconds(1);
constexpr absl::Duration kLongest = absl::Seconds(10);
constexpr int kMostDoublings = 4;

// RFC 9211's `ttl` parameter; absent: not said.
std::optional<absl::Duration> TtlOf(absl::string_view cache_status) {
  for (absl::string_view parameter : absl::StrSplit(cache_status, "; ")) {
    int64_t seconds;
    if (absl::ConsumePrefix(&parameter, "ttl=") && absl::SimpleAtoi(parameter, &seconds)) {
      return absl::Seconds(seconds);
    }
  }
  return std::nullopt;
}

}  // namespace

bool IsFinal(pcap::v1::PcapStatus status) {
  return status == pcap::v1::PCAP_STATUS_SUCCESS || status == pcap::v1::PCAP_STATUS_COMPLETE ||
         status == pcap::v1::PCAP_STATUS_FAILED;
}

bool IsPassing(const CallError& error) {
  switch (error.code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

absl::Duration PauseAfter(const AnswerInfo& info) {
  return std::clamp(TtlOf(info.cache_status).value_or(absl::Seconds(2)), kShortest, kLongest);
}

absl::Duration PauseAfter(const CallError& error, int failures) {
  if (error.retry_after.has_value()) return std::max(*error.retry_after, kShortest);
  return std::min(kShortest * (1 << std::clamp(failures - 1, 0, kMostDoublings)), kLongest);
}

}  // namespace pcap_client
