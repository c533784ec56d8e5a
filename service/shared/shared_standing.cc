#include "service/shared/shared_standing.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/shared/redis_names.h"

namespace pcap_gateway {
namespace {

constexpr char kKept = 'K';
constexpr char kDenied = 'D';

std::string Named(const Credential& credential, absl::string_view what) {
  return absl::StrCat(RedisName(credential, what), ":standing");
}

std::string Seal(const Credential& credential, absl::string_view name, absl::string_view text) {
  return RedisMac(credential, "standing", absl::StrCat(name, "\n", text));
}

}  // namespace

std::string StandingName(const Credential& credential) { return Named(credential, "standing"); }

std::string StandingName(const Credential& credential, const Id& account) {
  return Named(credential, absl::StrCat("standing\n", account.ToString()));
}

std::string SealedStanding(const SharedStanding& standing, absl::string_view name,
                           const Credential& credential) {
  const std::string text =
      absl::StrFormat("%0*d%c", kStandingDigits, absl::ToUnixMicros(standing.since),
                      standing.denied ? kDenied : kKept);
  return absl::StrCat(text, Seal(credential, name, text));
}

std::optional<SharedStanding> OpenedStanding(absl::string_view value, absl::string_view name,
                                             const Credential& credential) {
  constexpr size_t kText = kStandingDigits + 1;
  if (value.size() <= kText) return std::nullopt;
  const absl::string_view text = value.substr(0, kText);
  int64_t micros = 0;
  if (!SameMac(value.substr(kText), Seal(credential, name, text)) ||
      !absl::SimpleAtoi(text.substr(0, kStandingDigits), &micros)) {
    return std::nullopt;
  }
  return SharedStanding{.since = absl::FromUnixMicros(micros), .denied = text.back() == kDenied};
}

}  // namespace pcap_gateway
