#include "service/access/policy.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace pcap_gateway {

const std::string& Principals::Name() const {
  if (!uris.empty()) return uris.front();
  return dns_names.empty() ? subject : dns_names.front();
}

bool Policy::Pattern::Fits(absl::string_view value) const {
  switch (kind) {
    case Kind::kExact:
      return value == text;
    case Kind::kPrefix:
      return absl::StartsWith(value, text);
    case Kind::kSuffix:
      return absl::EndsWith(value, text);
    case Kind::kPresent:
      return !value.empty();
  }
  return false;
}

bool Policy::AnyFits(const Patterns& patterns, absl::string_view value) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const Pattern& pattern) { return pattern.Fits(value); });
}

// As gRPC does it: the kinds of names in their order, and the next only where one is empty.
bool Policy::AnyFits(const Patterns& patterns, const Principals& principals) {
  for (const std::vector<std::string>* const names : {&principals.uris, &principals.dns_names}) {
    if (names->empty()) continue;
    return std::any_of(names->begin(), names->end(),
                       [&](const std::string& name) { return AnyFits(patterns, name); });
  }
  return !principals.subject.empty() && AnyFits(patterns, principals.subject);
}

bool Policy::AnyNameFits(const Patterns& patterns, const Principals& principals) {
  const auto fits = [&](const std::string& name) { return AnyFits(patterns, name); };
  return std::any_of(principals.uris.begin(), principals.uris.end(), fits) ||
         std::any_of(principals.dns_names.begin(), principals.dns_names.end(), fits) ||
         (!principals.subject.empty() && fits(principals.subject));
}

bool Policy::Rule::Denies(const CallFacts& call) const {
  if (!principals.empty() && !AnyNameFits(principals, call.principals)) return false;
  if (!paths.empty() && !AnyFits(paths, call.path)) return false;
  return std::all_of(headers.begin(), headers.end(), [&](const Header& header) {
    const std::vector<absl::string_view> values = call.header(header.key);
    if (values.empty()) return false;
    const std::string joined = absl::StrJoin(values, ",");
    const std::vector<absl::string_view> parts = absl::StrSplit(joined, ',');
    const auto fits = [&](absl::string_view value) { return AnyFits(header.values, value); };
    return fits(joined) || std::any_of(values.begin(), values.end(), fits) ||
           std::any_of(parts.begin(), parts.end(), [&](absl::string_view part) {
             return fits(absl::StripAsciiWhitespace(part));
           });
  });
}

bool Policy::Rule::Allows(const CallFacts& call) const {
  if (!principals.empty() && !AnyFits(principals, call.principals)) return false;
  if (!paths.empty() && !AnyFits(paths, call.path)) return false;
  return std::all_of(headers.begin(), headers.end(), [&](const Header& header) {
    const std::vector<absl::string_view> values = call.header(header.key);
    const auto fits = [&](absl::string_view value) { return AnyFits(header.values, value); };
    return !values.empty() && fits(absl::StrJoin(values, ",")) &&
           std::all_of(values.begin(), values.end(), fits);
  });
}

bool Policy::Permits(const CallFacts& call) const {
  return std::none_of(deny_.begin(), deny_.end(),
                      [&](const Rule& rule) { return rule.Denies(call); }) &&
         std::any_of(allow_.begin(), allow_.end(),
                     [&](const Rule& rule) { return rule.Allows(call); });
}

bool Policy::MayAsk(const Principals& principals, const Id& account) const {
  if (!accounts_.has_value()) return true;
  return std::any_of(accounts_->begin(), accounts_->end(), [&](const AccountRule& rule) {
    const bool given = rule.any_account || std::find(rule.accounts.begin(), rule.accounts.end(),
                                                     account) != rule.accounts.end();
    return given && AnyFits(rule.principals, principals);
  });
}

}  // namespace pcap_gateway
