// Health: grpc.health.v1, exactly as gRPC's doc/health-checking.md has it.
#ifndef PCAP_GATEWAY_SERVICE_RPC_HEALTH_H_
#define PCAP_GATEWAY_SERVICE_RPC_HEALTH_H_

#include <atomic>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "grpc/health/v1/health.pb.h"
#include "service/rpc/open_streams.h"

namespace pcap_gateway {

inline constexpr char kHealthCheckPath[] = "/grpc.health.v1.Health/Check";

// Thread-safe. Outlives the streams of its methods.
class Health {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // `services`: full names of those whose health may be asked, beside "", the whole server. All of
  // them serve from the start, or, where that is not `ready`, from SetReady on.
  Health(std::set<std::string> services, bool ready);

  // Who watches is told of both at OpenStreams::Refresh.
  void SetReady() { ready_ = true; }
  // For good.
  void StopServing() { stopped_ = true; }

  // SERVICE_UNKNOWN: the server has no such service.
  Status StatusOf(const std::string& service) const;

  // Check and Watch. An unknown service is NOT_FOUND for Check; for Watch it is a status like
  // others, as it might be added later.
  void AddMethods(StreamMethods& methods) const;

 private:
  const std::set<std::string> services_;
  std::atomic<bool> ready_;
  std::atomic<bool> stopped_{false};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_HEALTH_H_
