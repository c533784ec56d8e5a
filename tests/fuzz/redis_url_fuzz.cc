// --redis-url and the other texts that operators write: a value within its bounds, or a message
// that repeats no password.
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/option_file.h"
#include "service/option_values.h"
#include "service/shared/redis_url.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  const absl::string_view text = TextOf(data, size);
  if (const auto url = RedisUrlFrom(text); url.ok()) {
    Require(url->host.empty() != url->path.empty(), "a host or a socket");
    Require(url->port >= 1 && url->port <= 65535, "a port");
    Require(url->database >= 0, "a database");
  }
  const auto with_canary = RedisUrlFrom(absl::StrCat("redis://:SeCrEt", text));
  if (!with_canary.ok() && !absl::StrContains(text, "SeCrEt")) {
    Require(!absl::StrContains(std::string(with_canary.status().message()), "SeCrEt"),
            "a password is not repeated");
  }
  if (const auto bytes = BytesFrom(text); bytes.ok()) Require(*bytes >= 0, "bytes");
  if (const auto count = CountFrom(text, 10); count.ok()) {
    Require(*count >= 0 && *count <= 10, "a count within its bounds");
  }
  if (const auto duration = DurationFrom(text, absl::Seconds(1), absl::Hours(1)); duration.ok()) {
    Require(*duration >= absl::Seconds(1) && *duration <= absl::Hours(1), "a duration, too");
  }
  if (const auto url = BaseUrlFrom(text, /*allow_http=*/false); url.ok()) {
    Require(
        absl::StartsWithIgnoreCase(*url, "https://") || absl::StartsWithIgnoreCase(*url, "http://"),
        "http or https");
    Require(IsPrintableAscii(*url) && url->find_first_of(" ?#\\") == std::string::npos,
            "no query, fragment or blank");
    const std::string authority = url->substr(0, url->find('/', url->find("://") + 3));
    Require(!absl::StrContains(authority, "@"), "no user and password");
    Require(url->back() != '/', "no slash at its end");
  }
  CheckHostAndPort(text).IgnoreError();
  CheckProxyUrl(text).IgnoreError();
  std::istringstream file{std::string(text)};
  if (const auto lines = OptionLinesFrom(file); lines.ok()) {
    for (const OptionLine& line : *lines) Require(!line.name.empty(), "a line names an option");
  }
  return 0;
}
