// A small line chart as inline SVG.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_CHART_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_CHART_H_

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace pcap_gateway {

struct ChartLine {
  std::string name;            // "answered"
  std::string css_class;       // what colours it
  std::vector<double> values;  // the oldest first; negative: not known, a gap
};

struct Chart {
  std::string title;
  std::string unit;  // after a value: "/s", " ms", "%"
  std::vector<ChartLine> lines;
  double least_top = 1;                        // the axis goes up to this at least
  absl::Time until;                            // when the last values were
  absl::Duration interval = absl::Seconds(5);  // between one value and the next
};

// A <figure>: caption, the last values in words, and the lines above an axis that has UTC's full
// five minutes; a text says the same to those who do not see them. All texts are escaped.
std::string ChartFigure(const Chart& chart);

// `value` for people: three digits, without needless zeros ("1,204", "0.031", "12.5").
std::string HumanNumber(double value);

// `text` for HTML, in an element or an attribute between double quotes.
std::string EscapedHtml(const std::string& text);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_CHART_H_
