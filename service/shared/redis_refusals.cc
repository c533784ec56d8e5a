#include "service/shared/redis_refusals.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {
namespace {

constexpr size_t kLongestWord = 32;

// How Redis before 7.2 tells that a script met a NOPERM.
constexpr absl::string_view kScriptMayNot = "The user executing the script can't";
// How Redis 8 does.
constexpr absl::string_view kScriptFailure = "ERR ACL failure in script";

absl::string_view FirstWord(absl::string_view text) {
  if (absl::StrContains(text, kScriptMayNot) || absl::StartsWith(text, kScriptFailure)) {
    return "NOPERM";
  }
  absl::ConsumePrefix(&text, "-");  // twice, in an error that a script hands on
  return text.substr(0, std::min(text.find_first_of(" \r\n"), kLongestWord));
}

// Redis 6 wraps what a script met: "ERR Error running script (call to f_…): @user_script:2:
// @user_script: 2: -READONLY You can't …".
absl::string_view Unwrapped(absl::string_view error) {
  if (!absl::StartsWith(error, "ERR Error running script")) return error;
  const size_t at = error.find(": -");
  return at == absl::string_view::npos ? error : error.substr(at + 3);
}

// "… no permissions to run the 'hset' command": a script met it. Empty: the error names none.
std::string CommandIn(absl::string_view error) {
  constexpr absl::string_view kBefore = "run the '";
  const size_t at = error.find(kBefore);
  if (at == absl::string_view::npos) return "";
  const absl::string_view rest = error.substr(at + kBefore.size());
  const absl::string_view name = rest.substr(0, std::min(rest.find('\''), kLongestWord));
  const bool proper = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalpha(c) || c == '|' || c == '-' || c == '_';
  });
  return proper ? absl::AsciiStrToUpper(name) : "";
}

std::string Meaning(absl::string_view word, absl::string_view error, absl::string_view command) {
  if (word == "READONLY") return "it is a replica, which takes nothing";
  if (word == "MASTERDOWN") return "it is a replica whose master is gone";
  if (word == "LOADING") return "it is starting";
  if (word == "NOPERM") {
    if (absl::StrContains(error, "access") && absl::StrContains(error, "key")) {
      return "its user may not use keys that begin with pcap-gateway:";
    }
    if (absl::StrContains(error, kScriptMayNot)) return "its user may not use all that scripts do";
    const std::string named = CommandIn(error);
    return absl::StrCat("its user may not use ", named.empty() ? command : named);
  }
  if (word == "NOAUTH") return "it wants a password";
  if (word == "WRONGPASS") return "user or password are wrong";
  if (word == "OOM") return "it is full; a maxmemory-policy of allkeys-lru would make room";
  if (word == "MISCONF") return "it cannot save, and takes nothing until it can";
  if (word == "CLUSTERDOWN") return "its cluster is not complete";
  if (word == "MOVED" || word == "ASK" || word == "CROSSSLOT" || word == "TRYAGAIN") {
    return "a cluster of several nodes is not supported, unless it stands behind one address";
  }
  if (word == "BUSY") return "a script of somebody holds it up";
  if (word == "NOREPLICAS") return "it has too few replicas to take anything";
  if (word == "DENIED") return "it is in protected mode, and takes only local connections";
  if (absl::StartsWith(error, "ERR unknown command")) {
    return absl::StrCat("it does not know ", command);
  }
  if (absl::StartsWith(error, "ERR max number of clients")) return "it has too many clients";
  return absl::StrCat("to ", command);
}

}  // namespace

std::optional<size_t> RedisRefusalIn(absl::string_view error) {
  const absl::string_view word = FirstWord(Unwrapped(error));
  const auto found = std::find(kRedisRefusals.begin(), kRedisRefusals.end() - 1, word);
  if (found == kRedisRefusals.end() - 1) return std::nullopt;
  return static_cast<size_t>(found - kRedisRefusals.begin());
}

std::string TellRedisRefusal(absl::string_view error, absl::string_view command) {
  error = Unwrapped(error);
  const absl::string_view word = FirstWord(error);
  return absl::StrCat("it says ", word, ": ", Meaning(word, error, command));
}

}  // namespace pcap_gateway
