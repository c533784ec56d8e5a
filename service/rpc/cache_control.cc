#include "service/rpc/cache_control.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace pcap_gateway {
namespace {

// delta-seconds: digits alone; more than 2^31 count as 2^31 (RFC 9111, 1.2.2). Infinite: not a
// number of seconds.
absl::Duration DeltaSeconds(absl::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  if (text.empty() || !std::all_of(text.begin(), text.end(),
                                   [](unsigned char c) { return absl::ascii_isdigit(c); })) {
    return absl::InfiniteDuration();
  }
  constexpr int64_t kMost = int64_t{1} << 31;
  int64_t seconds;
  if (!absl::SimpleAtoi(text, &seconds)) seconds = kMost;
  return absl::Seconds(std::min(seconds, kMost));
}

}  // namespace

void CacheControl::Add(const CacheControl& other) {
  max_age = std::min(max_age, other.max_age);
  only_if_cached |= other.only_if_cached;
}

CacheControl CacheControlOf(absl::string_view header) {
  CacheControl all;
  for (absl::string_view directive : absl::StrSplit(header, ',')) {
    directive = absl::StripAsciiWhitespace(directive);
    constexpr absl::string_view kMaxAge = "max-age=";
    if (absl::EqualsIgnoreCase(directive, "no-cache")) {
      all.max_age = absl::ZeroDuration();
    } else if (absl::EqualsIgnoreCase(directive, "only-if-cached")) {
      all.only_if_cached = true;
    } else if (absl::StartsWithIgnoreCase(directive, kMaxAge)) {
      all.max_age = std::min(all.max_age, DeltaSeconds(directive.substr(kMaxAge.size())));
    }
  }
  return all;
}

}  // namespace pcap_gateway
