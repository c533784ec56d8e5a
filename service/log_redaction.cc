#include "service/log_redaction.h"

#include <string>
#include <utility>

#include "service/source/redaction.h"

namespace pcap_gateway {

Redact LogRedaction(std::shared_ptr<const Credential> credential) {
  return [credential = std::move(credential)](absl::string_view text) {
    std::string clean(text);
    if (credential != nullptr) credential->RedactFrom(clean);
    return RedactText(clean);
  };
}

}  // namespace pcap_gateway
