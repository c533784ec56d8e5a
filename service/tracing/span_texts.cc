#include "service/tracing/span_texts.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {
namespace {

// HOST[:PORT]; an IPv6 host in brackets.
Place PlaceOf(absl::string_view text) {
  Place place;
  const size_t colon = text.rfind(':');
  const size_t bracket = text.rfind(']');
  const bool has_port =
      colon != absl::string_view::npos && (bracket == absl::string_view::npos || colon > bracket);
  if (has_port && !absl::SimpleAtoi(text.substr(colon + 1), &place.port)) return {};
  absl::string_view host = has_port ? text.substr(0, colon) : text;
  if (absl::ConsumePrefix(&host, "[") && !absl::ConsumeSuffix(&host, "]")) return {};
  place.host = std::string(host);
  return place;
}

struct UrlParts {
  absl::string_view scheme;
  absl::string_view authority;  // without the user
  absl::string_view path;
};

UrlParts PartsOf(absl::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const size_t mark = url.find("://");
  if (mark == absl::string_view::npos) return {};
  absl::string_view rest = url.substr(mark + 3);
  const size_t slash = rest.find('/');
  const absl::string_view authority = rest.substr(0, slash);
  return {.scheme = url.substr(0, mark),
          .authority = authority.substr(authority.rfind('@') + 1),  // npos + 1 is 0
          .path = slash == absl::string_view::npos ? "" : rest.substr(slash)};
}

}  // namespace

Place PlaceOfUrl(absl::string_view url) {
  const UrlParts parts = PartsOf(url);
  Place place = PlaceOf(parts.authority);
  if (place.host.empty() || place.port != 0) return place;
  place.port = absl::EqualsIgnoreCase(parts.scheme, "http") ? 80 : 443;
  return place;
}

Place PlaceOfPeer(absl::string_view peer) {
  if (!absl::ConsumePrefix(&peer, "ipv4:") && !absl::ConsumePrefix(&peer, "ipv6:")) return {};
  return PlaceOf(absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}}));
}

std::string UrlForSpans(absl::string_view url) {
  const UrlParts parts = PartsOf(url);
  if (parts.authority.empty()) return "";
  return absl::StrCat(parts.scheme, "://", parts.authority, parts.path);
}

}  // namespace pcap_gateway
