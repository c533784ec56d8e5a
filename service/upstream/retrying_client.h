// RetryingClient: repeats requests that failed for the moment, as long as somebody waits.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_RETRYING_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_RETRYING_CLIENT_H_

#include <functional>
#include <optional>

#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/loop/loop.h"
#include "service/upstream/http_client.h"
#include "service/upstream/retry_policy.h"

namespace pcap_gateway {

// Written by the loop's thread, read by any.
struct RetryStats {
  Counter retries;
  Counter over_allowance;  // failures that would have been repeated, had there not been so many
};

// All attempts of a request together take no longer than its timeout. A retry whose answer could
// not come within that, or before the request's deadline, is not sent; "could" goes by the quickest
// answer that ever came.
class RetryingClient final : public HttpClient {
 public:
  // All outlive it. `chance` gives evenly spread numbers from 0 to 1.
  RetryingClient(Loop& loop, HttpClient& inner, const RetryPolicy& policy,
                 std::function<double()> chance, const Clock& clock);

  Ticket Send(HttpRequest request, Done done) override;

  const RetryStats& stats() const { return stats_; }

 private:
  struct Request;
  using RequestPtr = std::shared_ptr<Request>;

  void Attempt(const RequestPtr& request);
  void Ended(const RequestPtr& request, HttpResult result);
  void NoteQuickest(const Request& request, const HttpResult& result);
  std::optional<absl::Duration> WaitBeforeRetry(const Request& request, const HttpResult& result);

  Loop& loop_;
  HttpClient& inner_;
  const RetryPolicy policy_;
  const std::function<double()> chance_;
  const Clock& clock_;
  RetryStats stats_;
  RetryAllowance allowance_;
  absl::Duration quickest_ = absl::InfiniteDuration();  // infinite: none came yet
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_RETRYING_CLIENT_H_
