// Credential check: asks Cloudflare whether it accepts the gateway's own credential, before
// anything is served (--check=online), or before calls are to come (see Readiness).
#ifndef PCAP_GATEWAY_SERVICE_CREDENTIAL_CHECK_H_
#define PCAP_GATEWAY_SERVICE_CREDENTIAL_CHECK_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/loop/loop.h"
#include "service/options.h"
#include "service/source/credential.h"
#include "service/source/id.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

struct CredentialQuestion {
  // Of Cloudflare's API, without a slash at its end.
  std::string base_url;
  // Not null.
  std::shared_ptr<const Credential> credential;
  // Where a token may belong to an account; absent: it belongs to a user.
  std::optional<Id> default_account_id;
  // Of each request.
  absl::Duration timeout;
};

// Null credential: callers bring their own.
CredentialQuestion CredentialQuestionOf(const Options& options);

// Of a token "Verify Token" (/user/tokens/verify; for one that an account owns, below the default
// account's path), of an email and a key "User Details" (/user). On the loop's thread of `client`,
// which outlives the question; `done` runs there, once.
//
// INVALID_ARGUMENT: Cloudflare rejects the credential, or it is disabled or has expired.
// UNAVAILABLE: no answer came that says so. The message begins with an option's name, and holds no
// secret.
void AskAboutCredential(HttpClient& client, CredentialQuestion question,
                        absl::AnyInvocable<void(absl::Status) &&> done);

// The same, waiting for the answer. INVALID_ARGUMENT also where callers bring their own. Not on the
// loop's thread.
absl::Status CheckCredential(Loop& loop, HttpClient& client, const Options& options);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CREDENTIAL_CHECK_H_
