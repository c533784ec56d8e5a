#include "service/upstream/route.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "service/source/public_text.h"

namespace pcap_gateway {
namespace {

constexpr auto npos = absl::string_view::npos;

// libcurl's own words have 255 at most.
constexpr size_t kMostWordsBytes = 256;

std::string Clean(absl::string_view words) {
  std::string clean(words);
  std::replace_if(
      clean.begin(), clean.end(), [](unsigned char c) { return !absl::ascii_isprint(c); }, ' ');
  return PublicText(clean, kMostWordsBytes);
}

bool AllDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// `host`, `host:port`, `[address]:port`
HostPort Split(absl::string_view authority) {
  const size_t colon = authority.rfind(':');
  const bool one_colon = colon != npos && authority.find(':') == colon;
  const bool bracketed = colon != npos && colon > 0 && authority[colon - 1] == ']';
  HostPort split;
  if ((one_colon || bracketed) && AllDigits(authority.substr(colon + 1))) {
    split.port = std::string(authority.substr(colon + 1));
    authority = authority.substr(0, colon);
  }
  if (absl::ConsumePrefix(&authority, "[")) absl::ConsumeSuffix(&authority, "]");
  split.host = std::string(authority);
  return split;
}

bool IsAddress(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &address) == 1;
}

bool IsOfHost(char c) { return absl::ascii_isalnum(c) || absl::StrContains(".:-_%[]", c); }

// What stands for `place` in words for callers; empty: it is none to hide.
absl::string_view StandIn(const HostPort& place, const Route& route) {
  const auto is = [&place](const HostPort& known) {
    return !known.host.empty() && absl::EqualsIgnoreCase(place.host, known.host) &&
           (place.port.empty() || place.port == known.port);
  };
  if (is(route.proxy)) return "the proxy";
  if (is(route.upstream)) return "the upstream";
  return IsAddress(place.host) ? "an address" : "";
}

std::string Named(const HostPort& place) { return absl::StrCat(place.host, " port ", place.port); }

}  // namespace

HostPort HostPortOf(absl::string_view url, absl::string_view other_port) {
  const bool tls = absl::StartsWithIgnoreCase(url, "https:");
  const size_t scheme = url.find("://");
  if (scheme != npos) url.remove_prefix(scheme + 3);
  // A password may have any of the others.
  url.remove_prefix(url.rfind('@') + 1);  // npos + 1 is 0
  url = url.substr(0, url.find_first_of("/?#"));
  HostPort split = Split(url);
  if (split.port.empty()) split.port = std::string(tls ? "443" : other_port);
  return split;
}

std::string ForOperators(absl::string_view words, const Route& route) {
  std::string text = Named(route.upstream);
  absl::StrAppend(&text, route.proxy.host.empty()
                             ? ", directly"
                             : absl::StrCat(", through the proxy ", Named(route.proxy)));
  if (!route.addresses.empty()) {
    absl::StrAppend(&text, ", at ", absl::StrJoin(route.addresses, ", "));
  }
  return absl::StrCat(text, ": ", Clean(words));
}

std::string ForCallers(absl::string_view words, const Route& route) {
  const std::string clean = Clean(words);
  std::string out;
  absl::string_view rest = clean;
  while (!rest.empty()) {
    const size_t size = std::find_if_not(rest.begin(), rest.end(), IsOfHost) - rest.begin();
    if (size == 0) {
      out += rest.front();
      rest.remove_prefix(1);
      continue;
    }
    // The sentence's own full stop or colon is no part of it.
    const absl::string_view token = rest.substr(0, size);
    const absl::string_view word = token.substr(0, token.find_last_not_of(".:") + 1);
    rest.remove_prefix(std::max(word.size(), size_t{1}));
    HostPort place = Split(word);
    absl::string_view behind = rest;
    if (absl::ConsumePrefix(&behind, " port ")) {
      const size_t digits =
          std::find_if_not(behind.begin(), behind.end(), absl::ascii_isdigit) - behind.begin();
      if (digits > 0) place.port = std::string(behind.substr(0, digits));
      behind.remove_prefix(digits);
    } else {
      behind = rest;
    }
    const absl::string_view stand_in = StandIn(place, route);
    if (stand_in.empty()) {
      absl::StrAppend(&out, word.empty() ? token.substr(0, 1) : word);
    } else {
      absl::StrAppend(&out, stand_in);
      rest = behind;
    }
  }
  return out;
}

}  // namespace pcap_gateway
