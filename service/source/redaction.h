// Redaction: takes secrets out of text that came from Cloudflare.
//
// A capture's destination_conf is the URI of a bucket, and for R2 that URI holds live keys:
//
//   r2://pcaps?account-id=023e&access-key-id=AKIA&secret-access-key=s3cr3t      becomes
//   r2://pcaps?account-id=023e&access-key-id=REDACTED&secret-access-key=REDACTED
//
// In a URI these are hidden: every value of the query but `region` and `account-id`, user and
// password, the fragment. Where syntax is in doubt more is hidden rather than less: a kept value
// must consist of letters, digits, `-` and `_` (so `;` separates nothing, it makes its value odd),
// a parameter without `=` must be a known name. Valid UTF-8 stays valid. All functions are pure,
// thread-safe, and take time in proportion to the text.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_REDACTION_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_REDACTION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// What an answer does with secrets. Errors and logs always hide them.
enum class Secrets { kHide, kReveal };

// What stands in a secret's place.
inline constexpr absl::string_view kRedacted = "REDACTED";

// Appends `uri`, taken as one URI from end to end whatever characters it has.
void AppendRedactedDestination(absl::string_view uri, std::string& out);
std::string RedactDestination(absl::string_view uri);

// Appends free text, such as an error's message: URIs in it as above, and what follows the name of
// a secret (`secret-access-key=…`, `"accessKeyId": "…"`, `Authorization: Bearer …`).
void AppendRedactedText(absl::string_view text, std::string& out);
std::string RedactText(absl::string_view text);

// Whether what goes by this name is a secret: its letters and digits, whatever stands between them,
// end in those of `access-key-id`, `secret-access-key`, `password` and the like.
bool IsSecretName(absl::string_view name);

// Whether `value` of the destination's parameter `name` may be shown: that of `region` and
// `account-id`, made of letters, digits, `-` and `_` alone.
bool MayBeShown(absl::string_view name, absl::string_view value);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_REDACTION_H_
