// Readiness: withholds calls until Cloudflare has accepted the gateway's own credential
// (--ready=credential), so that a rollout with a bad token stops at its first replica.
//
// Only Cloudflare's no withholds them. Where it says nothing, as in an outage, the gateway is ready
// all the same after a while: it may have answers in Redis, and every replica that restarts
// meanwhile would be missing. Once ready, it stays that.
#ifndef PCAP_GATEWAY_SERVICE_READINESS_H_
#define PCAP_GATEWAY_SERVICE_READINESS_H_

#include <functional>
#include <memory>
#include <string>

#include "service/credential_check.h"
#include "service/loop/loop.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

struct ReadinessOptions {
  CredentialQuestion question;
  // Runs once, when calls may come. Any thread.
  std::function<void()> ready;
  // Takes one line for operators; `is_good`: nothing to worry about. Any thread.
  std::function<void(bool is_good, const std::string& line)> log;
};

// Thread-safe.
class Readiness {
 public:
  // Asks from now on. `loop` and `client`, whose thread is the loop's, outlive all that runs there.
  Readiness(Loop& loop, HttpClient& client, ReadinessOptions options);

  // Neither `ready` nor `log` runs after this. Not from within them.
  ~Readiness();

  // Asks about this one at once, instead of the one before. Not null.
  void SetCredential(std::shared_ptr<const Credential> credential);

  // Why no calls are to come yet, one line without secrets; empty: they may.
  std::string waits_for() const;

 private:
  class Wait;

  Loop& loop_;
  const std::shared_ptr<Wait> wait_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_READINESS_H_
