// HttpClient: the transport seam. A request in; one answer, or the reason why there is none, out.
//
// An HTTP status is an answer, whatever its number. What repeats, limits or withholds requests is
// an HttpClient around an HttpClient:
//
//   retrying_client → breaker_client → limited_client → budgeted_client → paced_client →
//   (a span for each, tracing/tracing.h) → curl_client
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_HTTP_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_HTTP_CLIENT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/body_sink.h"
#include "service/source/credential.h"
#include "service/source/http_answer.h"
#include "service/source/latest_deadline.h"
#include "service/source/refusal.h"
#include "service/source/source.h"

namespace pcap_gateway {

struct HttpRequest {
  absl::string_view method = "GET";
  // Absolute; made of the configured base URL and checked ids.
  std::string url;
  // Its header lines are sent; it also names whose budget the request is charged to.
  std::shared_ptr<const Credential> credential;
  // JSON; null: none. May hold secrets.
  std::shared_ptr<const std::string> body;
  // Further header lines, `Name: value`; printable ASCII.
  std::vector<std::string> header_lines;
  // From Send to the last byte; positive.
  absl::Duration timeout = absl::Seconds(30);
  // Until when somebody waits for the answer; null: for as long as it takes.
  std::shared_ptr<const LatestDeadline> deadline;
  // Whose share of the budget and of the queue it takes (Query::caller); null: nobody's.
  std::shared_ptr<const std::string> caller;
  // It refreshes what is kept. Whether somebody waits for it meanwhile: NobodyWaits.
  bool background = false;
  // Sending it twice is the same as sending it once.
  bool idempotent = false;
  // Not over a connection that is there: the one it failed on may be among them.
  bool fresh_connection = false;
  // One is added for the request, and one each time that it goes out once more; null: nobody
  // counts.
  std::shared_ptr<std::atomic<int>> requests_sent;
  // How often it was sent before; it is a repetition of what failed.
  int resends = 0;
  // A longer body fails the request.
  size_t most_body_bytes = 1 << 20;
  // Media types, as in the header of that name.
  absl::string_view accept = "application/json";
  // Takes the body of a 2xx that begins as `is_content` wants it; null: it is collected. The
  // request has a connection of its own then, as a reader who is slow holds it up. `timeout` ends
  // at the body's first byte, from where on bytes have to keep coming.
  std::shared_ptr<BodySink> sink;
  bool (*is_content)(absl::string_view first_bytes) = nullptr;  // Endpoint's
  // Run when `sink` is about to begin, with the answer's status and headers: so far it is a good
  // one, and its end comes when the reader likes. On the loop's thread; they send and cancel
  // nothing.
  std::vector<std::function<void(const HttpAnswer& head)>> on_content;
  // A longer one for `sink` fails the request.
  int64_t most_sunk_bytes = 0;

  // All who asked for it have left (Query::is_abandoned).
  bool is_abandoned() const {
    return !background && deadline != nullptr && deadline->nobody_waits();
  }
};

// Whether it gives way to others: a refresh that no caller has joined yet. One may do so at any
// moment; then it is a call like any other.
inline bool NobodyWaits(const HttpRequest& request) {
  return request.background && (request.deadline == nullptr || request.deadline->nobody_waits());
}

// Why there is no answer.
struct TransportFailure {
  enum class Kind {
    kResolve,    // the name has no address
    kConnect,    // refused, unreachable, no connection in time, no end of the TLS handshake
    kTls,        // no trust, wrong host
    kTimeout,    // `timeout` passed
    kStalled,    // no byte for too long, or too few
    kBroken,     // reset, closed early, bytes missing
    kMalformed,  // not HTTP, or a URL that cannot be asked
    kTooLarge,   // more than `most_body_bytes`, or `most_sunk_bytes`
    kCancelled,  // by the ticket
    kStopped,    // this process is shutting down
    kOwnLimits,  // no descriptor, no memory, no thread of our own
  };
  static constexpr size_t kKinds = 11;

  Kind kind;
  // What went wrong, for a person. Public: names no header, no secret, no address.
  std::string detail;
  // How often the request left this process; 0: never, so that nobody has counted it.
  int sendings = 1;
  // Since it left our own queue (LimitedClient fills it in); zero: it never did.
  absl::Duration out = absl::ZeroDuration();
  // For the log and the status page alone: where to, by which proxy, at which address, and the
  // transport's own words. Empty: it has none.
  std::string for_operators;
  // Of the answer, those bytes that the request's sink had taken.
  int64_t sunk_bytes = 0;
};

// The kind's name in metrics: "resolve", "too_large".
absl::string_view NameOf(TransportFailure::Kind kind);

// A request that was not sent, for the upstream's or our own good.
struct Withheld {
  enum class Kind {
    kOverBudget,   // the rate limit leaves no room for it
    kCircuitOpen,  // the upstream has been failing
    kQueueFull,    // too many others wait
  };
  Kind kind;
  absl::Duration retry_after;  // positive
  // With kOverBudget: whose limit it is, and whether a request is kept for the question then.
  Refusal::Limit limit = Refusal::Limit::kCredential;
  bool place_kept = false;
};

using HttpResult = std::variant<HttpAnswer, TransportFailure, Withheld>;

// How often the request left this process; 0: never, so that nobody has counted it.
int SendingsOf(const HttpResult& result);

// Whether `on_content` has run for it: what the answer's head said is old by its end.
bool HasBegun(const HttpResult& result);

// Used on the loop's thread only; so decorators need no locks.
class HttpClient {
 public:
  using Done = absl::AnyInvocable<void(HttpResult) &&>;

  virtual ~HttpClient() = default;

  // Sends. `done` runs exactly once on the loop's thread, never before Send returns unless the
  // request cannot even be started. The ticket's Cancel aborts the transfer: `done` runs inside it,
  // with kCancelled.
  virtual Ticket Send(HttpRequest request, Done done) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_HTTP_CLIENT_H_
