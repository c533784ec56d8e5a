// Endpoint: one RPC as data. How it is asked over REST, and how the answer becomes a message.
//
// A new RPC is one Endpoint (a file in endpoints/) and one row of rpc/method.cc; cache and upstream
// carry it without knowing which one it is.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_ENDPOINT_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_ENDPOINT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/credential.h"
#include "service/source/http_answer.h"
#include "service/source/id.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

struct Query;

// What parsing needs to know beside the answer itself.
struct ParseOptions {
  // With which it was asked; what it says of credentials is about this one, and no text of the
  // outcome repeats it. Null: the gateway's, and unknown. Lives as long as the call of `parse`.
  const Credential* credential = nullptr;
  // What was asked for; the answer has to be about it. Absent: whatever came.
  std::optional<Id> resource;
  // Leave destination_conf as Cloudflare sent it. Never applies to errors.
  bool reveal_destination_secrets = false;
  // When the answer came; what dates in it are relative to.
  absl::Time now = absl::UnixEpoch();
};

// Lives for the whole process; compared by address.
struct Endpoint {
  // The RPC's name, "GetPcap".
  absl::string_view name;
  // Tells endpoints apart in a Key, and in the shared tier: never reused.
  uint8_t number;
  // HTTP method.
  absl::string_view method;
  // Asking twice is the same as asking once, so a failed attempt may be repeated.
  bool idempotent;
  // The path below the base URL, beginning with '/'. Made of checked ids only.
  std::string (*path)(const Query& query);
  // Turns any HTTP answer into an outcome (`as_of` and `cf_ray` are filled in by the caller). Never
  // throws.
  Outcome (*parse)(const HttpAnswer& answer, const ParseOptions& options);
  // What the request accepts, as in its header.
  absl::string_view accept = "application/json";
  // Whether a 2xx's body that begins so (kFirstBytes of it, or all) is for Query::sink; what is not
  // is collected for `parse`. Null: none is.
  bool (*is_content)(absl::string_view first_bytes) = nullptr;
  static constexpr size_t kFirstBytes = 4;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_ENDPOINT_H_
