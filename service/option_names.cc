#include "service/option_names.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {
namespace {

constexpr absl::string_view kPrefix = "PCAP_GATEWAY_";

// No name that is longer is compared: the variables are not ours alone.
constexpr size_t kLongestName = 64;

// How many letters have to be changed, put in, left out or swapped with the next (optimal string
// alignment).
size_t Slips(absl::string_view a, absl::string_view b) {
  std::vector<size_t> before_last;
  std::vector<size_t> last(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    std::vector<size_t> row(b.size() + 1, i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last = std::move(last);
    last = std::move(row);
  }
  return last.back();
}

// PCAP_GATEWAY_SERVICE_HOST, PCAP_GATEWAY_SERVICE_PORT_GRPC, PCAP_GATEWAY_PORT and
// PCAP_GATEWAY_PORT_50051_TCP_ADDR are set for a service `pcap-gateway`, and with a name's rest
// before them for one whose name goes on.
bool IsServiceLink(absl::string_view variable) {
  const std::vector<absl::string_view> words = absl::StrSplit(variable, '_');
  const auto is_protocol = [](absl::string_view word) {
    return word == "TCP" || word == "UDP" || word == "SCTP";
  };
  for (size_t i = 2; i < words.size(); ++i) {
    const size_t after = words.size() - i - 1;
    if (words[i] == "SERVICE" && after > 0 && (words[i + 1] == "HOST" || words[i + 1] == "PORT")) {
      return true;
    }
    if (words[i] != "PORT") continue;
    int port = 0;
    if (after == 0) return true;
    if (after >= 2 && absl::SimpleAtoi(words[i + 1], &port) && is_protocol(words[i + 2])) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string VariableOf(absl::string_view option) {
  return absl::StrCat(kPrefix, absl::StrReplaceAll(absl::AsciiStrToUpper(option), {{"-", "_"}}));
}

std::string MeantBy(absl::string_view name, const std::vector<std::string>& known) {
  if (name.size() > kLongestName) return "";
  const size_t most = name.size() < 5 ? 1 : 2;
  std::string nearest;
  size_t least = most + 1;
  for (const std::string& its : known) {
    const size_t slips = Slips(name, its);
    if (slips >= least) continue;
    least = slips;
    nearest = its;
  }
  return nearest;
}

std::string DidYouMean(absl::string_view name, const std::vector<std::string>& known) {
  const std::string meant = MeantBy(name, known);
  return meant.empty() ? "" : absl::StrCat("; did you mean --", meant, "?");
}

std::vector<std::string> UnknownVariables(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& options) {
  std::vector<std::string> known;
  known.reserve(options.size());
  for (const std::string& option : options) known.push_back(VariableOf(option));
  std::vector<std::string> unknown;
  for (const std::string& variable : variables) {
    if (!absl::StartsWith(variable, kPrefix) || IsServiceLink(variable)) continue;
    if (std::find(known.begin(), known.end(), variable) != known.end()) continue;
    const std::string meant = MeantBy(variable, known);
    unknown.push_back(absl::StrCat(
        variable.substr(0, kLongestName), ": there is no such option, so nothing is set",
        meant.empty() ? "" : absl::StrCat("; did you mean ", meant, "?")));
  }
  return unknown;
}

}  // namespace pcap_gateway
