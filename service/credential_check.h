// Credential check: asks Cloudflare whether it accepts the gateway's own credential, before
// anything is served (--check=online).
#ifndef PCAP_GATEWAY_SERVICE_CREDENTIAL_CHECK_H_
#define PCAP_GATEWAY_SERVICE_CREDENTIAL_CHECK_H_

#include "absl/status/status.h"
#include "service/options.h"
#include "service/upstream/curl_client.h"

namespace pcap_gateway {

// Of a token "Verify Token" (/user/tokens/verify; for one that an account owns, below the default
// account's path), of an email and a key "User Details" (/user). Waits for the answers, for
// --upstream-timeout each.
//
// INVALID_ARGUMENT: Cloudflare rejects the credential, or it is disabled or has expired, or callers
// bring their own. UNAVAILABLE: no answer came that says so.
absl::Status CheckCredential(CurlClient& curl, const Options& options);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CREDENTIAL_CHECK_H_
