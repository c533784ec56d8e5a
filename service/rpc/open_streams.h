// OpenStreams: the streams of one queue, the methods that they may call, and the way to tell them
// something from another thread.
#ifndef PCAP_GATEWAY_SERVICE_RPC_OPEN_STREAMS_H_
#define PCAP_GATEWAY_SERVICE_RPC_OPEN_STREAMS_H_

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "service/access/policy.h"
#include "service/base/current.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/connection_shares.h"
#include "service/rpc/lasting_stream.h"
#include "service/rpc/stream.h"
#include "service/rpc/stream_stats.h"

namespace pcap_gateway {

// By path: "/package.Service/Method". The handlers are made on the queues' threads.
using StreamMethods =
    absl::flat_hash_map<std::string, std::function<std::unique_ptr<StreamHandler>(Stream&)>>;

// Outlives the streams; so it is destroyed after the queue.
class OpenStreams {
 public:
  OpenStreams(grpc::AsyncGenericService& service, const StreamMethods& methods, StreamStats& stats,
              StreamLimitStats& limit_stats, ConnectionShares& shares,
              const Current<Policy>& policy, bool certificates, CallQueue& queue);

  // Any thread, while the queue is there. Soon all handlers' Refresh runs; once for several calls
  // of this that come fast.
  void Refresh();

  // Any thread, while the queue is there. Soon all streams are finished with UNAVAILABLE; those
  // that come later are at once.
  void End();

  // For the streams, on the queue's thread.
  void Add(LastingStream& stream);
  void Remove(LastingStream& stream);
  // Whether there is room for one more stream of the connection, which then has it until Leave; or
  // TOO_MANY_STREAMS. For a health check there always is, among those of all connections.
  std::optional<Error> CheckRoom(const std::string& connection, absl::string_view path);
  void Leave(const std::string& connection);
  // As an error, counted.
  Error NoPlaceToStay();
  Error Refused(std::string why);
  void CountGivenUp(AwaitedPeer::Why why);
  // Null: there is no such method.
  std::unique_ptr<StreamHandler> HandlerFor(const std::string& path, Stream& stream) const;
  bool certificates() const { return certificates_; }  // callers show some
  bool ending() const { return ending_.load(); }
  const Current<Policy>& policy() const { return policy_; }
  RpcStats& StatsOf(const std::string& path) { return stats_.Of(path); }
  CallQueue& queue() { return queue_; }
  grpc::AsyncGenericService& service() { return service_; }

 private:
  void RefreshAll(bool ok);
  void LookAtAll();

  grpc::AsyncGenericService& service_;
  const StreamMethods& methods_;
  StreamStats& stats_;
  StreamLimitStats& limit_stats_;
  ConnectionShares& shares_;
  const Current<Policy>& policy_;
  const bool certificates_;
  CallQueue& queue_;
  absl::flat_hash_set<LastingStream*> open_;  // the queue's thread only

  std::atomic<bool> ending_{false};
  // Set from Refresh until `refresh_` has gone off, so that the alarm is never set twice at once.
  std::atomic<bool> refreshing_{false};
  grpc::Alarm refresh_;
  MethodEvent<OpenStreams, &OpenStreams::RefreshAll> refreshed_{*this};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_OPEN_STREAMS_H_
