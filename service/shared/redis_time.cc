#include "service/shared/redis_time.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

// The end of the year 2199.
constexpr int64_t kLatestSecond = 7'258'118'399;

}  // namespace

std::optional<RedisTime> RedisTimeFrom(const std::optional<RedisReply>& reply, absl::Time sent_at) {
  // Seconds and microseconds.
  if (!reply.has_value() || reply->elements.size() != 2) return std::nullopt;
  int64_t seconds = 0;
  int64_t micros = 0;
  if (!absl::SimpleAtoi(reply->elements[0].text, &seconds) ||
      !absl::SimpleAtoi(reply->elements[1].text, &micros)) {
    return std::nullopt;
  }
  // Of a Redis that lies: what is far from any clock's time would make entries live for ever.
  const bool possible =
      seconds >= 0 && seconds <= kLatestSecond && micros >= 0 && micros < 1'000'000;
  if (!possible) return std::nullopt;
  return RedisTime{.now = absl::FromUnixSeconds(seconds) + absl::Microseconds(micros),
                   .sent_at = sent_at};
}

std::string MillisecondsOf(absl::Duration duration) {
  return absl::StrCat(std::max<int64_t>(1, absl::ToInt64Milliseconds(duration)));
}

}  // namespace pcap_gateway
