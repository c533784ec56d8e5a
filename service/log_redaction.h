// LogRedaction: the one door to the log. Every text of every line passes it.
#ifndef PCAP_GATEWAY_SERVICE_LOG_REDACTION_H_
#define PCAP_GATEWAY_SERVICE_LOG_REDACTION_H_

#include <memory>

#include "service/operations/log_line.h"
#include "service/source/credential.h"

namespace pcap_gateway {

// Hides what redaction.h knows a secret by (its name, its place in a URI), and `credential`, the
// gateway's own, wherever it stands; null: there is none.
Redact LogRedaction(std::shared_ptr<const Credential> credential);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_LOG_REDACTION_H_
