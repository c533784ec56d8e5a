// Ids of captures and accounts: 32 lower-case hex digits, and what people paste instead.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PCAP_ID_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PCAP_ID_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pcap_client {

// `text` as the gateway takes it: upper case becomes lower case, and the dashes of a UUID go.
// INVALID_ARGUMENT says which character is wrong, or how many digits there are.
absl::StatusOr<std::string> FoldedId(absl::string_view text);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PCAP_ID_H_
