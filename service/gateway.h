// Gateway: all parts of the service, put together.
//
//   absl::StatusOr<std::unique_ptr<Gateway>> gateway = Gateway::Start(options, log);
//   if (!gateway.ok()) return gateway.status();
//   WaitForSignal();
//   (*gateway)->Drain(options.lame_duck, options.drain_timeout, wait);
//
// The way of a call: rpc → cache → shared, where there is a Redis → upstream → endpoints → mapping,
// and back.
#ifndef PCAP_GATEWAY_SERVICE_GATEWAY_H_
#define PCAP_GATEWAY_SERVICE_GATEWAY_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/operations/log.h"
#include "service/options.h"

namespace pcap_gateway {

class Gateway {
 public:
  // Looks at all that `options` name: files, Redis' name, and with Options::Check::kOnline
  // Cloudflare's word on the credential. The status is that of the first that cannot be used; of a
  // file as Start would give it, which waits neither for Redis nor for Cloudflare.
  static absl::Status Check(const Options& options, Log& log);

  // Serving when this returns. `log` outlives it.
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(const Options& options, Log& log);

  // Ends at once what Drain has not ended.
  ~Gateway();

  // HOST:PORT of the gRPC server.
  const std::string& address() const;

  // HOST:PORT of metrics and health over HTTP; empty: there is none.
  std::string admin_address() const;

  // Looks at once at the files that are watched: certificate, policy, token. What has changed is
  // taken if it is of use. Any thread.
  void Reload();

  // Whether all threads that calls depend on have turned since the last time; see Heartbeat. From
  // one thread.
  bool Beat();

  // HOST:PORT of channelz; empty: there is none.
  std::string channelz_address() const;

  // See Server::Drain.
  void Drain(absl::Duration lame_duck, absl::Duration timeout,
             const std::function<bool(absl::Duration)>& wait);

 private:
  struct Parts;
  explicit Gateway(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

// The version of this build, "0.1.0".
const char* Version();

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_GATEWAY_H_
