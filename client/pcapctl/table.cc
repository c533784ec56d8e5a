#include "client/pcapctl/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

constexpr size_t kWidestColumn = 24;
constexpr absl::string_view kIndent = "  ";
constexpr size_t kGap = 2;

}  // namespace

void Table::Row(absl::string_view label, absl::string_view value, Tone tone) {
  lines_.push_back({TerminalText(label), TerminalText(value), tone});
}

void Table::Section(absl::string_view label) { Row(label, ""); }

void Table::SubRow(absl::string_view label, absl::string_view value) {
  lines_.push_back({absl::StrCat(kIndent, TerminalText(label)), TerminalText(value)});
}

std::string Table::Text(const Palette& palette) const {
  size_t column = 0;
  for (const Line& line : lines_) {
    const size_t width = CodePoints(line.label);
    if (width <= kWidestColumn) column = std::max(column, width);
  }
  std::string text;
  for (const Line& line : lines_) {
    text += line.label;
    if (!line.value.empty()) {
      const size_t width = CodePoints(line.label);
      text.append(kGap + (width < column ? column - width : 0), ' ');
      text += palette.Paint(line.value, line.tone);
    }
    text += '\n';
  }
  return text;
}

}  // namespace pcap_client
