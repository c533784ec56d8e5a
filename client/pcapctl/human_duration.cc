#include "client/pcapctl/human_duration.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace pcap_client {
namespace {

// Seconds below a minute, with as many decimals as it takes.
std::string SecondsText(absl::Duration duration) {
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(duration);
  std::string text =
      absl::StrFormat("%d.%09d", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string HumanDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration() || duration == -absl::InfiniteDuration()) {
    return absl::FormatDuration(duration);
  }
  if (duration < absl::ZeroDuration()) return absl::StrCat("-", HumanDuration(-duration));
  std::string text;
  const auto take = [&](absl::Duration unit, absl::string_view name) {
    const int64_t count = absl::IDivDuration(duration, unit, &duration);
    if (count > 0) absl::StrAppend(&text, text.empty() ? "" : " ", count, " ", name);
  };
  take(absl::Hours(24), "d");
  take(absl::Hours(1), "h");
  take(absl::Minutes(1), "min");
  if (duration > absl::ZeroDuration() || text.empty()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", SecondsText(duration), " s");
  }
  return text;
}

}  // namespace pcap_client
