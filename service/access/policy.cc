#include "service/access/policy.h"

#include <algorithm>

#include "absl/strings/match.h"

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

bool Policy::Rule::Fits(const CallFacts& call) const {
  if (!principals.empty() && !AnyFits(principals, call.principals)) return false;
  if (!paths.empty() && !AnyFits(paths, call.path)) return false;
  return std::all_of(headers.begin(), headers.end(), [&](const Header& header) {
    const std::optional<std::string> value = call.header(header.key);
    return value.has_value() && AnyFits(header.values, *value);
  });
}

bool Policy::Permits(const CallFacts& call) const {
  const auto fits = [&](const Rule& rule) { return rule.Fits(call); };
  return std::none_of(deny_.begin(), deny_.end(), fits) &&
         std::any_of(allow_.begin(), allow_.end(), fits);
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
