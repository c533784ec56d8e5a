#include "service/option_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/base/text_file.h"

namespace pcap_gateway {
namespace {

// A host, and the port after it where there is one; both are known to be well-formed.
struct Authority {
  std::string host;  // an IPv6 address without its brackets
  bool has_port = false;
};

bool IsIpv6(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool IsHostName(absl::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
  });
}

bool IsPort(absl::string_view text) {
  const bool digits = !text.empty() && text.size() <= 5 &&
                      std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  int port = 0;
  return digits && absl::SimpleAtoi(text, &port) && port <= 65535;
}

std::optional<Authority> AuthorityFrom(absl::string_view text) {
  Authority authority;
  if (absl::ConsumePrefix(&text, "[")) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return std::nullopt;
    authority.host = std::string(text.substr(0, end));
    if (!IsIpv6(authority.host)) return std::nullopt;
    text.remove_prefix(end + 1);
  } else {
    authority.host = std::string(text.substr(0, text.find(':')));
    if (!IsHostName(authority.host)) return std::nullopt;
    text.remove_prefix(authority.host.size());
  }
  authority.has_port = absl::ConsumePrefix(&text, ":");
  if (authority.has_port ? !IsPort(text) : !text.empty()) return std::nullopt;
  return authority;
}

// By the address itself: `127.0.0.1.example.com` is somebody else's machine.
bool IsLoopback(const std::string& host) {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

// The scheme in lower case, dropped from `url` with its `://`; empty: there is none.
std::string ConsumeScheme(absl::string_view* url) {
  const size_t end = url->find("://");
  if (end == absl::string_view::npos) return "";
  const std::string scheme = absl::AsciiStrToLower(url->substr(0, end));
  url->remove_prefix(end + 3);
  return scheme;
}

bool IsPrintable(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isgraph(c); });
}

}  // namespace

absl::StatusOr<int64_t> BytesFrom(absl::string_view text) {
  constexpr absl::string_view kWanted =
      "must be a number of bytes, 0 or more, such as 67108864 or 64MiB";
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  int64_t number = 0;
  if (digits == 0) return absl::InvalidArgumentError(kWanted);
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) {
    return absl::InvalidArgumentError("is more bytes than can be counted");
  }
  const std::string unit =
      absl::AsciiStrToLower(absl::StripLeadingAsciiWhitespace(text.substr(digits)));
  if (unit.empty() || unit == "b") return number;
  const size_t power = absl::string_view("kmgt").find(unit[0]);
  const std::string rest = unit.substr(1);
  const bool of_1024 = rest.empty() || rest == "i" || rest == "ib";
  if (power == absl::string_view::npos || (!of_1024 && rest != "b")) {
    return absl::InvalidArgumentError(kWanted);
  }
  for (size_t i = 0; i <= power; ++i) {
    if (__builtin_mul_overflow(number, of_1024 ? 1024 : 1000, &number)) {
      return absl::InvalidArgumentError("is more bytes than can be counted");
    }
  }
  return number;
}

absl::StatusOr<int64_t> CountFrom(absl::string_view text, int64_t most) {
  int64_t number = 0;
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (digits && absl::SimpleAtoi(text, &number) && number <= most) return number;
  return absl::InvalidArgumentError(absl::StrCat("must be a whole number from 0 to ", most));
}

absl::StatusOr<double> FractionFrom(absl::string_view text) {
  double fraction = 0;
  // Not `nan`, and not the hexadecimal numbers that SimpleAtod takes.
  const bool decimal =
      !text.empty() && text.find_first_not_of("0123456789.") == absl::string_view::npos;
  if (!decimal || !absl::SimpleAtod(text, &fraction) || fraction > 1) {
    return absl::InvalidArgumentError("must be a number from 0 to 1, such as 0.01");
  }
  return fraction;
}

absl::StatusOr<absl::Duration> DurationFrom(absl::string_view text, absl::Duration least,
                                            absl::Duration most) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError("must be a duration with its unit, such as 30s or 250ms");
  }
  if (duration < least || duration > most) {
    return absl::InvalidArgumentError(absl::StrCat("must be from ", absl::FormatDuration(least),
                                                   " to ", absl::FormatDuration(most)));
  }
  return duration;
}

bool ListensOnLoopback(absl::string_view text) {
  const std::optional<Authority> authority = AuthorityFrom(text);
  return authority.has_value() && IsLoopback(authority->host);
}

absl::Status CheckHostAndPort(absl::string_view text) {
  const std::optional<Authority> authority = AuthorityFrom(text);
  if (authority.has_value() && authority->has_port) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "must be HOST:PORT, an IPv6 host in brackets, the port from 0 to 65535");
}

namespace {

// An http or https URL's scheme and host; or what is wrong with the URL.
struct WebUrl {
  std::string scheme;
  std::string host;
};
absl::StatusOr<WebUrl> WebUrlFrom(absl::string_view text, absl::string_view begin,
                                  absl::string_view who_may = "") {
  absl::string_view rest = text;
  const std::string scheme = ConsumeScheme(&rest);
  if (scheme != "https" && scheme != "http") {
    return absl::InvalidArgumentError(absl::StrCat("must be a URL that begins with ", begin));
  }
  const absl::string_view authority_text = rest.substr(0, rest.find('/'));
  if (absl::StrContains(authority_text, "@")) {
    return absl::InvalidArgumentError(
        absl::StrCat("must not carry a user name or password", who_may));
  }
  if (!IsPrintable(text) || rest.find_first_of("?#\\") != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        "must be a URL without query, fragment, spaces or control characters");
  }
  const std::optional<Authority> authority = AuthorityFrom(authority_text);
  if (!authority.has_value()) {
    return absl::InvalidArgumentError("must be a URL with a host, and a port from 0 to 65535");
  }
  return WebUrl{scheme, std::string(authority->host)};
}

absl::string_view WithoutSlashes(absl::string_view url) {
  while (absl::ConsumeSuffix(&url, "/")) {
  }
  return url;
}

}  // namespace

absl::StatusOr<std::string> BaseUrlFrom(absl::string_view text, bool allow_http) {
  text = WithoutSlashes(text);
  const absl::StatusOr<WebUrl> url = WebUrlFrom(text, "https://");
  if (!url.ok()) return url.status();
  if (url->scheme == "http" && !allow_http && !IsLoopback(url->host)) {
    return absl::InvalidArgumentError(
        "would send the credential in clear over the network: use https, or "
        "--allow-http-upstream");
  }
  return std::string(text);
}

absl::StatusOr<std::string> CollectorUrlFrom(absl::string_view text) {
  text = WithoutSlashes(text);
  absl::Status status =
      WebUrlFrom(text, "http:// or https://", "; OTEL_EXPORTER_OTLP_HEADERS does").status();
  if (!status.ok()) return status;
  return std::string(text);
}

absl::Status CheckProxyUrl(absl::string_view text) {
  constexpr absl::string_view kSchemes[] = {"http",    "https",  "socks4",
                                            "socks4a", "socks5", "socks5h"};
  const bool printable = IsPrintable(text);
  const std::string scheme = ConsumeScheme(&text);
  const bool known =
      std::find(std::begin(kSchemes), std::end(kSchemes), scheme) != std::end(kSchemes);
  absl::ConsumeSuffix(&text, "/");
  const absl::string_view authority = text.substr(text.rfind('@') + 1);  // npos + 1 is 0
  if (printable && known && AuthorityFrom(authority).has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "must be a URL such as http://HOST:PORT or socks5h://HOST:PORT");
}

absl::StatusOr<std::string> ContentOf(const std::string& path, size_t most) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat("cannot be read: ", std::strerror(errno)));
  }
  std::string content(most + 1, '\0');
  content.resize(std::fread(content.data(), 1, content.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    if (errno == EISDIR) return absl::InvalidArgumentError("is a directory");
    return absl::UnavailableError(absl::StrCat("cannot be read: ", std::strerror(errno)));
  }
  if (content.size() > most) {
    return absl::InvalidArgumentError(absl::StrCat("holds more than ", most, " bytes"));
  }
  DropByteOrderMark(content);
  return content;
}

}  // namespace pcap_gateway
