// RestSource: the Source at the end of the way. It asks Cloudflare itself, and keeps no answers but
// rejections of callers' credentials, for a moment (RejectedCredentials).
//
//   RestSource source(loop, client, {.base_url = "https://api.cloudflare.com/client/v4"}, clock);
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_REST_SOURCE_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_REST_SOURCE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/loop/loop.h"
#include "service/source/source.h"
#include "service/upstream/http_client.h"
#include "service/upstream/rejected_credentials.h"

namespace pcap_gateway {

struct RestOptions {
  // Without a slash at its end.
  std::string base_url;
  // One request takes no longer, even when the caller would wait.
  absl::Duration timeout = absl::Seconds(30);
  bool reveal_destination_secrets = false;
  // A longer body for a sink is refused.
  int64_t most_sunk_bytes = int64_t{1} << 30;
};

// Turns queries into HTTP requests and answers into outcomes. The work happens on the loop's
// thread, parsing too: some microseconds for a usual answer, some milliseconds for one near the
// limit of 1 MiB.
class RestSource final : public Source {
 public:
  // All of them outlive the source; `client` is used on the loop's thread only.
  RestSource(Loop& loop, HttpClient& client, RestOptions options, const Clock& clock);

  // Never anything.
  std::optional<Reply> AtHand(const Query& query) override;

  // `done` runs on the loop's thread; inside the call for a query that asks caches alone
  // (Query::only_if_cached), and where the loop's thread asks what is not sent.
  Ticket Ask(Query query, Done done) override;

 private:
  struct Call;

  void Send(const std::shared_ptr<Call>& call);
  void Answer(Call& call, OutcomePtr outcome) const;
  OutcomePtr OutcomeOf(const Call& call, HttpResult result) const;

  Loop& loop_;
  HttpClient& client_;
  const RestOptions options_;
  const Clock& clock_;
  RejectedCredentials rejected_;  // the loop's thread only
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_REST_SOURCE_H_
