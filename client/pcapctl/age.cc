#include "client/pcapctl/age.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/pcapctl/human_duration.h"

namespace pcap_client {

std::string AgeText(absl::Time then, absl::Time now) {
  if (then - now >= absl::Seconds(1)) return absl::StrCat("in ", AgeText(now, then));
  const absl::Duration age = now - then;
  absl::Duration unit = absl::Seconds(1);
  if (age >= absl::Minutes(1)) unit = absl::Minutes(1);
  if (age >= absl::Hours(1)) unit = absl::Hours(1);
  // "47 h" says more than "1 d".
  if (age < absl::Hours(48) && age >= absl::Hours(24)) {
    return absl::StrCat(absl::ToInt64Hours(age), " h");
  }
  if (age >= absl::Hours(48)) unit = absl::Hours(24);
  return HumanDuration(absl::Trunc(age, unit));
}

std::string WithAge(absl::string_view time, absl::Time now) {
  absl::Time then;
  if (!absl::ParseTime(absl::RFC3339_full, time, &then, nullptr)) return std::string(time);
  const std::string age = AgeText(then, now);
  return absl::StrCat(time, " (", age, absl::StartsWith(age, "in ") ? ")" : " ago)");
}

}  // namespace pcap_client
