#include "pcap_client/call_error.h"

#include "absl/strings/str_cat.h"

namespace pcap_client {

absl::Status CallError::ToStatus() const {
  if (reason.empty()) return absl::Status(code, message);
  return absl::Status(code, absl::StrCat(reason, ": ", message));
}

}  // namespace pcap_client
