// What the status page shows of a gateway's parts.
#ifndef PCAP_GATEWAY_SERVICE_GATEWAY_STATUS_H_
#define PCAP_GATEWAY_SERVICE_GATEWAY_STATUS_H_

#include <string>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/gateway_metrics.h"
#include "service/operations/status_report.h"
#include "service/rpc/server.h"

namespace pcap_gateway {

// What does not change while the gateway runs.
struct StatusFacts {
  std::string version;
  std::string upstream_url;
  bool tls = false;
  absl::Time started;
};

// The figures that charts are made of, as they are now. Any thread.
StatusFigures FiguresOf(const MeteredParts& parts, const Clock& clock);

// All but history and errors, which are the caller's to add. Any thread.
StatusReport ReportOf(const StatusFacts& facts, const MeteredParts& parts, const Server& server,
                      const Clock& clock);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_GATEWAY_STATUS_H_
