#include "client/pcapctl/metric_samples.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace pcap_client {

MetricSamples::MetricSamples(absl::string_view page) {
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::StartsWith(line, "#")) continue;
    // A label's value may have spaces; the gateway's samples have no timestamps.
    const size_t space = line.rfind(' ');
    if (space == absl::string_view::npos) continue;
    double value = 0;
    if (!absl::SimpleAtod(line.substr(space + 1), &value)) continue;
    series_[std::string(absl::StripAsciiWhitespace(line.substr(0, space)))] = value;
  }
}

std::optional<double> MetricSamples::Sum(absl::string_view name, absl::string_view label) const {
  std::optional<double> sum;
  for (const auto& [series, value] : series_) {
    absl::string_view labels = series;
    if (!absl::ConsumePrefix(&labels, name)) continue;
    if (!labels.empty() && labels[0] != '{') continue;  // a longer name
    if (!absl::StrContains(labels, label)) continue;
    sum = sum.value_or(0) + value;
  }
  return sum;
}

}  // namespace pcap_client
