#include "service/settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/operations/log_line.h"
#include "service/source/redaction.h"

namespace pcap_gateway {
namespace {

constexpr char kHidden[] = "REDACTED";
constexpr size_t kMostShownBytes = 4096;

// A token is a long word, and a key 37 hexadecimal digits. Options' own values are short words,
// numbers, ids, or have dots, slashes and colons in them.
bool MayBeASecret(absl::string_view text) {
  constexpr size_t kShortestWord = 20;
  constexpr size_t kShortestKey = 37;
  const bool is_word = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
  const bool is_hex = std::all_of(text.begin(), text.end(),
                                  [](unsigned char c) { return absl::ascii_isxdigit(c); });
  return is_word && text.size() >= (is_hex ? kShortestKey : kShortestWord);
}

// A URL's user name and password stand before the last @, also in one that is no URL.
std::string WithoutUser(absl::string_view text) {
  const size_t at = text.rfind('@');
  if (at == absl::string_view::npos) return std::string(text);
  const size_t scheme = text.find("://");
  const absl::string_view begin =
      scheme != absl::string_view::npos && scheme < at ? text.substr(0, scheme + 3) : "";
  return absl::StrCat(begin, kHidden, text.substr(at));
}

}  // namespace

std::string ShownValue(absl::string_view name, absl::string_view value) {
  // A name without a slash may be the token itself, put where its file's name belongs.
  if (name == "api-token-file" && !value.empty() && !absl::StrContains(value, '/')) return kHidden;
  if (MayBeASecret(value)) return kHidden;
  std::string shown = OneLine(RedactText(WithoutUser(value)));
  if (shown.size() > kMostShownBytes) {
    shown.resize(kMostShownBytes);
    shown += "...";
  }
  return shown;
}

absl::Status OfOption(absl::string_view option, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("--", option, ": ", status.message()));
}

absl::Status Explained(const absl::Status& status, const std::vector<Setting>& settings) {
  absl::string_view rest = status.message();
  if (status.ok() || !absl::ConsumePrefix(&rest, "--")) return status;
  const absl::string_view name = rest.substr(0, rest.find(':'));
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [name](const Setting& its) { return its.name == name; });
  if (found == settings.end()) return status;
  const std::string value =
      found->value == kHidden ? "the value" : absl::StrCat("`", found->value, "`");
  if (found->source.empty()) {
    // Nobody wrote it, so there is nothing to say of what is not there.
    if (found->value.empty()) return status;
    return absl::Status(status.code(),
                        absl::StrCat(status.message(), "; ", value, " is the default"));
  }
  const bool is_told = absl::EndsWith(status.message(), absl::StrCat("(", found->value, ")"));
  return absl::Status(status.code(), absl::StrCat(status.message(), "; ", is_told ? "that" : value,
                                                  " comes from ", found->source));
}

std::string SummaryOf(const std::vector<Setting>& settings) {
  std::string summary;
  for (const Setting& setting : settings) {
    if (setting.source.empty()) continue;
    absl::StrAppend(&summary, summary.empty() ? "" : ", ", setting.name, "=", setting.value, " (",
                    setting.source, ")");
  }
  return summary;
}

std::string JsonOf(const std::vector<Setting>& settings, absl::string_view version) {
  nlohmann::ordered_json json = {{"version", version}};
  for (const Setting& setting : settings) {
    json["options"].push_back({{"name", setting.name},
                               {"value", setting.value},
                               {"source", setting.source.empty() ? "default" : setting.source}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int ExitCodeOf(const absl::Status& status) {
  constexpr int kCannotWork = 2;
  constexpr int kNotReady = 1;
  return status.code() == absl::StatusCode::kInvalidArgument ? kCannotWork : kNotReady;
}

}  // namespace pcap_gateway
