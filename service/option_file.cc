#include "service/option_file.h"

#include <algorithm>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/text_file.h"

namespace pcap_gateway {
namespace {

bool BeginsComment(char c) { return c == '#' || c == ';'; }

absl::string_view WithoutComment(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (BeginsComment(text[i]) && (i == 0 || absl::ascii_isspace(text[i - 1]))) {
      text = text.substr(0, i);
    }
  }
  return absl::StripAsciiWhitespace(text);
}

// Of what follows the equals sign.
absl::StatusOr<std::string> ValueFrom(absl::string_view text) {
  text = absl::StripLeadingAsciiWhitespace(text);
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return std::string(WithoutComment(text));
  const size_t end = text.find(text[0], 1);
  if (end == absl::string_view::npos || !WithoutComment(text.substr(end + 1)).empty()) {
    return absl::InvalidArgumentError("the quotes do not go around the value");
  }
  return std::string(text.substr(1, end - 1));
}

absl::StatusOr<OptionLine> LineFrom(absl::string_view text) {
  const size_t equals = text.find('=');
  const absl::string_view name = absl::StripAsciiWhitespace(text.substr(0, equals));
  const bool one_word =
      !name.empty() && std::none_of(name.begin(), name.end(), absl::ascii_isspace);
  if (equals == absl::string_view::npos || !one_word) {
    return absl::InvalidArgumentError("must be `name = value`");
  }
  absl::StatusOr<std::string> value = ValueFrom(text.substr(equals + 1));
  if (!value.ok()) return value.status();
  return OptionLine{.number = 0, .name = std::string(name), .value = *std::move(value)};
}

}  // namespace

absl::StatusOr<std::vector<OptionLine>> OptionLinesFrom(std::istream& file) {
  std::vector<OptionLine> lines;
  std::set<std::string> names;
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    if (number == 1) DropByteOrderMark(text);
    if (WithoutComment(text).empty()) continue;
    absl::StatusOr<OptionLine> line = LineFrom(text);
    if (line.ok() && !names.insert(line->name).second) {
      line = absl::InvalidArgumentError("names an option for the second time");
    }
    if (!line.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": ", line.status().message()));
    }
    line->number = number;
    lines.push_back(*std::move(line));
  }
  return lines;
}

}  // namespace pcap_gateway
