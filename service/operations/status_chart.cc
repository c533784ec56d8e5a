#include "service/operations/status_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace pcap_gateway {
namespace {

constexpr double kWidth = 320;
constexpr double kHeight = 72;
// Between two times on the axis.
constexpr absl::Duration kTick = absl::Minutes(5);

// The parts of the line between gaps, as SVG path data.
std::string PathOf(const std::vector<double>& values, double top) {
  std::string path;
  bool drawing = false;
  const double step = values.size() > 1 ? kWidth / static_cast<double>(values.size() - 1) : 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0) {
      drawing = false;
      continue;
    }
    const double y = kHeight - kHeight * std::min(values[i] / top, 1.0);
    // One value between two gaps is a dot: a line's end alone is drawn only where there is a line.
    absl::StrAppendFormat(&path, "%s%.1f %.1f%s", drawing ? "L" : "M",
                          step * static_cast<double>(i), y, drawing ? "" : "h0");
    drawing = true;
  }
  return path;
}

struct TimeAxis {
  std::string lines;   // SVG path data, across the chart
  std::string labels;  // SVG texts
};

// For `values` values, the last of them at `until`. A label stands in percent of the width, as a
// chart that is stretched would stretch its letters.
TimeAxis AxisOf(absl::Time until, absl::Duration interval, size_t values) {
  TimeAxis axis;
  if (values < 2) return axis;
  const absl::Duration all = interval * static_cast<int64_t>(values - 1);
  const absl::Duration past = (until - absl::UnixEpoch()) % kTick;
  for (absl::Duration ago = past; ago <= all; ago += kTick) {
    const double at = 1 - absl::FDivDuration(ago, all);
    const char* const anchor = at < 0.1 ? "start" : at > 0.9 ? "end" : "middle";
    absl::StrAppendFormat(&axis.lines, "M%.1f 0V%g", kWidth * at, kHeight);
    absl::StrAppendFormat(&axis.labels, "<text x=\"%.1f%%\" y=\"1em\" text-anchor=\"%s\">%s</text>",
                          100 * at, anchor,
                          absl::FormatTime("%H:%M", until - ago, absl::UTCTimeZone()));
  }
  return axis;
}

// With its thousands apart.
std::string Grouped(int64_t number) {
  std::string digits = absl::StrCat(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace

std::string HumanNumber(double value) {
  if (value >= 1000) return Grouped(std::llround(value));
  if (value == 0) return "0";
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  std::string text = absl::StrFormat("%.*f", decimals, value);
  if (decimals > 0) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

std::string EscapedHtml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string ChartFigure(const Chart& chart) {
  double top = chart.least_top;
  std::string legend;
  std::string words;
  std::string paths;
  size_t most = 0;
  for (const ChartLine& line : chart.lines) {
    most = std::max(most, line.values.size());
    for (const double value : line.values) top = std::max(top, value);
  }
  for (const ChartLine& line : chart.lines) {
    const double last = line.values.empty() ? -1 : line.values.back();
    const std::string value =
        last < 0 ? "–" : absl::StrCat(HumanNumber(last), EscapedHtml(chart.unit));
    absl::StrAppend(&legend, "<span class=\"key ", line.css_class, "\">", EscapedHtml(line.name),
                    " <b>", value, "</b></span>");
    absl::StrAppend(&words, words.empty() ? "" : ", ", EscapedHtml(line.name), " ", value);
    absl::StrAppend(&paths, "<path class=\"", line.css_class, "\" d=\"", PathOf(line.values, top),
                    "\"/>");
  }
  const TimeAxis axis = AxisOf(chart.until, chart.interval, most);
  const std::string title = EscapedHtml(chart.title);
  return absl::StrCat(
      "<figure><figcaption>", title, "<span class=\"top\">up to ", HumanNumber(top),
      EscapedHtml(chart.unit), "</span></figcaption><svg role=\"img\" viewBox=\"0 0 ", kWidth, " ",
      kHeight, "\" preserveAspectRatio=\"none\" aria-label=\"", title,
      " over the last 15 minutes; now: ", words, "\"><path class=\"base\" d=\"M0 ", kHeight, "H",
      kWidth, axis.lines, "\"/>", paths, "</svg><svg class=\"axis\" aria-hidden=\"true\">",
      axis.labels, "</svg><p class=\"legend\">", legend, "</p></figure>\n");
}

}  // namespace pcap_gateway
