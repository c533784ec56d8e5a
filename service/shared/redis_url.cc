#include "service/shared/redis_url.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "service/shared/redis_tls.h"

namespace pcap_gateway {
namespace {

constexpr char kWanted[] =
    "must be redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], the same with rediss:// for TLS, or "
    "unix:///PATH[?db=DATABASE]";

// Absent: a % that no two hexadecimal digits follow, or a zero byte.
std::optional<std::string> PercentDecoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const absl::string_view digits = text.substr(i + 1, 2);
    unsigned value = 0;
    // SimpleHexAtoi alone takes "-1" and " 1", too.
    if (digits.size() != 2 || !absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(digits[1])) ||
        !absl::SimpleHexAtoi(digits, &value)) {
      return std::nullopt;
    }
    decoded += static_cast<char>(value);
    i += 2;
  }
  if (absl::StrContains(decoded, absl::string_view("\0", 1))) return std::nullopt;
  return decoded;
}

bool ReadNumber(absl::string_view text, int most, int& number) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &number) && number <= most;
}

// Takes `USER:PASSWORD@` off `text`.
bool ReadLogin(absl::string_view& text, RedisUrl& url) {
  const size_t end = text.rfind('@');
  if (end == absl::string_view::npos) return true;
  const absl::string_view login = text.substr(0, end);
  const size_t colon = login.find(':');
  if (colon == absl::string_view::npos) return false;
  const auto user = PercentDecoded(login.substr(0, colon));
  const auto password = PercentDecoded(login.substr(colon + 1));
  if (!user.has_value() || !password.has_value() || password->empty()) return false;
  url.user = *user;
  url.password = *password;
  text.remove_prefix(end + 1);
  return true;
}

bool ReadHostAndPort(absl::string_view text, RedisUrl& url) {
  absl::string_view port;
  if (absl::ConsumePrefix(&text, "[")) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return false;
    url.host = std::string(text.substr(0, end));
    port = text.substr(end + 1);
    if (!absl::StrContains(url.host, ':')) return false;
  } else {
    const size_t colon = text.find(':');
    url.host = std::string(text.substr(0, colon));
    if (colon != absl::string_view::npos) port = text.substr(colon);
  }
  const bool proper =
      !url.host.empty() && std::all_of(url.host.begin(), url.host.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
      });
  if (!proper) return false;
  if (port.empty()) return true;
  return absl::ConsumePrefix(&port, ":") && ReadNumber(port, 65535, url.port) && url.port > 0;
}

bool ReadTcp(absl::string_view text, RedisUrl& url) {
  // A password may hold a slash that nobody encoded; a host may not.
  const size_t login_end = text.rfind('@');
  const size_t slash = text.find('/', login_end == absl::string_view::npos ? 0 : login_end);
  absl::string_view database;
  if (slash != absl::string_view::npos) {
    database = text.substr(slash + 1);
    text = text.substr(0, slash);
  }
  if (!ReadLogin(text, url) || !ReadHostAndPort(text, url)) return false;
  return database.empty() || ReadNumber(database, 99999, url.database);
}

bool ReadUnix(absl::string_view text, RedisUrl& url) {
  const size_t query = text.rfind("?db=");
  if (query != absl::string_view::npos) {
    if (!ReadNumber(text.substr(query + 4), 99999, url.database)) return false;
    text = text.substr(0, query);
  }
  if (!ReadLogin(text, url)) return false;
  const auto path = PercentDecoded(text);
  // sockaddr_un has room for 107 bytes.
  if (!path.has_value() || !absl::StartsWith(*path, "/") || path->size() > 107) return false;
  url.path = *path;
  return true;
}

}  // namespace

absl::StatusOr<RedisUrl> RedisUrlFrom(absl::string_view text) {
  if (!HasRedisTls() && absl::StartsWithIgnoreCase(text, "rediss:")) {
    return absl::InvalidArgumentError(
        "rediss:// (TLS) is not supported by this build, as its hiredis has none (Debian's has it "
        "from 13 on): use redis:// through a tunnel, or a Unix socket");
  }
  RedisUrl url;
  const bool clean = std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isspace(c) || absl::ascii_iscntrl(c);
  });
  url.tls = clean && absl::ConsumePrefix(&text, "rediss://");
  const bool read = clean && (url.tls                                  ? ReadTcp(text, url)
                              : absl::ConsumePrefix(&text, "redis://") ? ReadTcp(text, url)
                              : absl::ConsumePrefix(&text, "unix://")  ? ReadUnix(text, url)
                                                                       : false);
  if (!read) return absl::InvalidArgumentError(kWanted);
  return url;
}

}  // namespace pcap_gateway
