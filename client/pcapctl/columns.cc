#include "client/pcapctl/columns.h"

#include <algorithm>
#include <utility>

#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

constexpr size_t kGap = 2;

}  // namespace

Columns::Columns(const std::vector<std::string>& headings) {
  std::vector<Cell> line;
  line.reserve(headings.size());
  for (const std::string& heading : headings) line.push_back({heading, Tone::kFaint});
  lines_.push_back(std::move(line));
}

void Columns::Add(std::vector<Cell> line) {
  for (Cell& cell : line) cell.text = cell.text.empty() ? "-" : TerminalText(cell.text);
  lines_.push_back(std::move(line));
}

std::string Columns::Text(const Palette& palette) const {
  std::vector<size_t> widths(lines_.front().size());
  for (const auto& line : lines_) {
    for (size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], CodePoints(line[i].text));
    }
  }
  std::string text;
  for (const auto& line : lines_) {
    for (size_t i = 0; i < line.size(); ++i) {
      text += palette.Paint(line[i].text, line[i].tone);
      const bool last = i + 1 == line.size();
      if (!last) text.append(widths[i] - CodePoints(line[i].text) + kGap, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace pcap_client
