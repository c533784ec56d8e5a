// Server: the gRPC server around the PcapService, with health and reflection, and its orderly end.
//
//   absl::StatusOr<std::unique_ptr<Server>> server =
//       Server::Start(source, {.listen = "127.0.0.1:0"});
//   if (!server.ok()) return server.status();
//   (*server)->Drain(absl::Seconds(5), absl::Seconds(30), wait);
#ifndef PCAP_GATEWAY_SERVICE_RPC_SERVER_H_
#define PCAP_GATEWAY_SERVICE_RPC_SERVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/access/policy.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/base/current.h"
#include "service/rpc/awaited_peers.h"
#include "service/rpc/call_stats.h"
#include "service/rpc/method.h"
#include "service/rpc/server_credentials.h"
#include "service/rpc/stream_stats.h"
#include "service/source/call_tracer.h"
#include "service/source/ended_call.h"
#include "service/source/source.h"

namespace pcap_gateway {

struct ServerOptions {
  // HOST:PORT; port 0 takes a free one.
  std::string listen;
  bool reflection = true;
  // False: health says NOT_SERVING until SetReady. Calls are answered all the same.
  bool ready = true;
  // By default without TLS.
  TlsPaths tls;
  // Who may call. Null, and where it holds none: who can connect. Outlives the server.
  const Current<Policy>* policy = nullptr;
  // Null: each caller brings its own.
  std::shared_ptr<const Credential> service_credential;
  std::optional<Id> default_account_id;
  // Connections at once; 0: any number. Further ones are closed.
  int64_t most_connections = 0;
  // Calls at once whose answer is not at hand; 0: any number. Further ones get TOO_MANY_CALLS.
  int64_t most_calls = 0;
  // Whom to ask what becomes of captures; outlives the server. Null: nobody may watch them.
  Watches* watches = nullptr;
  // What operators let callers do.
  Allowed allowed;
  // Downloads at once; 0: any number. Further ones get TOO_MANY_STREAMS.
  int64_t most_downloads = 64;
  // Streams that are open without anything being asked upstream for them. Divided among queues(),
  // so those that share one may find less than this.
  StreamLimits streams;
  // Takes one line for operators about connections that cannot be taken; any thread. May be null.
  std::function<void(const std::string&)> log;
  // Keep what channelz tells of the server's sockets and calls.
  bool channelz = false;
  // What `source` measures time by; outlives the server. Null: one that began with it.
  const Clock* clock = nullptr;
  // Told of every call of the PcapService that is over. They outlive the server.
  std::vector<CallObserver*> observers;
  // Follows those calls with spans; outlives the server. Null: nobody does.
  CallTracer* tracer = nullptr;
};

class Server {
 public:
  // Serving when this returns. `source` outlives the server. Fails where the address cannot be
  // listened on, or the credentials not be used.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Source& source,
                                                       const ServerOptions& options);

  // Ends at once what Drain has not ended.
  ~Server();

  // HOST:PORT with the port that was taken.
  const std::string& address() const { return address_; }

  // False once Drain has begun. Any thread.
  bool serving() const { return serving_.load(); }

  // Has health say SERVING, unless Drain has begun. Any thread.
  void SetReady();

  const CallStats& stats() const;
  const StreamStats& stream_stats() const;

  // For calls that come from now on. Not null, and only where there was one. Any thread.
  void SetServiceCredential(std::shared_ptr<const Credential> credential);

  // Connections that are open now; see Acceptor. Any thread.
  int64_t connections() const;
  // Connections that were one too many. Any thread.
  const Counter& refused_connections() const;

  // Calls, and streams of other methods, that are open now. Any thread.
  int64_t open_streams() const;

  // How many threads serve calls.
  size_t queues() const;
  // Has the thread of queue number `queue`, below queues(), call `answer` when its turn comes. One
  // question at a time to each: not before the last one's answer was called. Any thread.
  void AskForSign(size_t queue, std::function<void()> answer);

  // Tells health checks and watches NOT_SERVING; waits `lame_duck`, still serving, for balancers to
  // notice; then ends watches, reflection and streams of answers, takes no new connections, asks
  // callers to leave (GOAWAY), and waits up to `timeout` for their calls before it ends them.
  // `wait` blocks for the time it is given or less (a second signal cuts it short by returning
  // false). Once, from one thread.
  void Drain(absl::Duration lame_duck, absl::Duration timeout,
             const std::function<bool(absl::Duration)>& wait);

 private:
  struct Parts;
  Server(std::unique_ptr<Parts> parts, std::string address);

  std::unique_ptr<Parts> parts_;
  const std::string address_;
  std::atomic<bool> serving_{true};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_SERVER_H_
