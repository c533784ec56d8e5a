// Endpoint: one RPC as data. How it is asked over REST, what asking does, and how the answer
// becomes a message.
//
// A new RPC is one Endpoint (a file in endpoints/) and one row of rpc/method.cc; cache and upstream
// carry it without knowing which one it is.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_ENDPOINT_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_ENDPOINT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/error.h"
#include "service/source/http_answer.h"
#include "service/source/id.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

struct Query;

// What asking does at Cloudflare, and so what may be done with the question.
enum class Effect {
  kReads,        // kept, shared by equal calls, refreshed, repeated
  kWritesAgain,  // twice is as once: it may be repeated; never kept or shared
  kWritesOnce,   // sent once, on a new connection; an end that is not known is told as such
};

// What parsing needs to know beside the question and the answer.
struct ParseOptions {
  // Leave destination_conf as Cloudflare sent it. Never applies to errors.
  bool reveal_destination_secrets = false;
  // When the answer came; what dates in it are relative to.
  absl::Time now = absl::UnixEpoch();
};

// What is filed under, whatever the credential.
struct Subject {
  Id account;
  Id resource;  // all zeros where the endpoint names none
  uint8_t endpoint = 0;

  friend bool operator==(const Subject& a, const Subject& b) = default;
};

// What an answer says of one resource.
struct Part {
  Id resource;  // all zeros: it does not say of which
  // Not null; with a message of the endpoint that gets one of them, as of the whole answer.
  OutcomePtr outcome;
};

// Lives for the whole process; compared by address.
struct Endpoint {
  // The RPC's name, "GetPcap".
  absl::string_view name;
  // Tells endpoints apart in a Key, and in the shared tier: never reused.
  uint8_t number;
  // HTTP method.
  absl::string_view method;
  Effect effect;
  // What a 404 of Cloudflare's says is missing.
  Reason not_found;
  // What the request calls that which Query::resource names; for the log.
  absl::string_view resource = "pcap_id";
  // The path below the base URL, beginning with '/', with its query. Made of checked ids only.
  std::string (*target)(const Query& query);
  // Turns any HTTP answer into an outcome (`as_of` and `cf_ray` are filled in by the caller), and
  // holds it against the question: what is about something else is an error. Never throws.
  Outcome (*parse)(const Query& query, const HttpAnswer& answer, const ParseOptions& options);
  // What a write that succeeded makes out of date, for every credential; null: nothing.
  std::vector<Subject> (*outdates)(const Query& query) = nullptr;
  // What an answer (`ok`) tells of single resources, in their order. The same thing said twice is
  // the same bytes. Null: of none.
  std::vector<Part> (*parts)(const Outcome& answer) = nullptr;
  // Of a list: what gets one of its resources; null: this is no list.
  const Endpoint* one = nullptr;
  // The list that has the resource among others; null: there is none.
  const Endpoint* list = nullptr;
  // Of a list: `answer` with these parts, which are its own except for what they say.
  Outcome (*with_parts)(const Outcome& answer, const std::vector<Part>& parts) = nullptr;
  // What the request accepts, as in its header.
  absl::string_view accept = "application/json";
  // Whether a 2xx's body that begins so (kFirstBytes of it, or all) is for Query::sink; what is not
  // is collected for `parse`. Null: none is.
  bool (*is_content)(absl::string_view first_bytes) = nullptr;
  static constexpr size_t kFirstBytes = 4;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_ENDPOINT_H_
