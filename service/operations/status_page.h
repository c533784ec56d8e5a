// The status page: a report as HTML for people and as JSON for programs. No script, and nothing
// from elsewhere: it works in any browser, and in one that is not trusted.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_PAGE_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_PAGE_H_

#include <string>

#include "service/operations/status_report.h"

namespace pcap_gateway {

// A whole document, which asks for StatusStyle() at "/status.css". Every text in it is escaped.
std::string StatusHtml(const StatusReport& report);

// One object with stable names. Times are RFC 3339 in UTC.
std::string StatusJson(const StatusReport& report);

// CSS, for light and dark.
const char* StatusStyle();

// The `quantile` (0 to 1) of the durations that came between two snapshots, the later one first, in
// seconds: the bound of the bucket that it lies in. Negative: there were none.
double QuantileBetween(const HistogramSnapshot& later, const HistogramSnapshot& earlier,
                       double quantile);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_PAGE_H_
