// ScriptedGateway: a real gRPC server on a loopback port that answers calls as the test says.
//
//   ScriptedGateway gateway;
//   gateway.Answer({.code = absl::StatusCode::kUnavailable});
//   gateway.Answer({.response = capture});
//   … two calls to gateway.address() …
//   EXPECT_EQ(gateway.calls(), 2);
//
// Whichever method is called takes the next step. Thread-safe. The last step of the script is
// repeated without end.
#ifndef PCAP_GATEWAY_TESTS_UNIT_CLIENT_SCRIPTED_GATEWAY_H_
#define PCAP_GATEWAY_TESTS_UNIT_CLIENT_SCRIPTED_GATEWAY_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pcap/v1/pcap_ownership_service.pb.h"
#include "pcap/v1/pcap_service.pb.h"
#include "tests/support/self_signed.h"

namespace pcap_client {

using pcap_gateway::SelfSigned;

class ScriptedGateway {
 public:
  using Metadata = std::vector<std::pair<std::string, std::string>>;

  struct Step {
    absl::StatusCode code = absl::StatusCode::kOk;
    std::string message;
    std::string details;  // the bytes of grpc-status-details-bin
    pcap::v1::GetPcapResponse response;
    pcap::v1::ListPcapsResponse list;
    pcap::v1::CreatePcapResponse created;
    pcap::v1::StopPcapResponse stopped;
    pcap::v1::ListOwnershipsResponse ownerships;
    pcap::v1::CreateOwnershipResponse ownership;
    pcap::v1::ValidateOwnershipResponse validated;
    pcap::v1::DeleteOwnershipResponse deleted;
    std::vector<pcap::v1::DownloadPcapResponse> download;  // what comes before the end
    std::vector<pcap::v1::WatchPcapsResponse> changes;     // the same
    Metadata initial_metadata;
    Metadata trailing_metadata;
    bool never = false;  // no answer, or no end, until the caller goes away
  };

  // Plaintext, or TLS as `identity`.
  ScriptedGateway() : ScriptedGateway(nullptr) {}
  explicit ScriptedGateway(const SelfSigned& identity) : ScriptedGateway(&identity) {}
  ~ScriptedGateway();

  void Answer(Step step);

  // What grpc.health.v1 says. At first "" is serving and nothing else is known.
  void SetServing(const std::string& service, bool serving);

  // 127.0.0.1:PORT.
  const std::string& address() const;

  // How many calls came, attempts counted.
  int calls() const;

  // How many messages of streams were taken by gRPC.
  int written() const;

  // Of the last call.
  pcap::v1::GetPcapRequest request() const { return RequestAs<pcap::v1::GetPcapRequest>(); }
  template <typename Request>
  Request RequestAs() const {
    Request request;
    if (!request.ParseFromString(request_bytes())) request.Clear();
    return request;
  }
  std::multimap<std::string, std::string> request_metadata() const;
  absl::Time deadline() const;  // centuries ahead: none

  // Blocks until a call that never gets an answer has come, or until so many were given up by their
  // callers.
  void AwaitNever() const;
  void AwaitCancelled(int count = 1) const;

 private:
  struct Parts;

  explicit ScriptedGateway(const SelfSigned* identity);

  std::string request_bytes() const;

  std::unique_ptr<Parts> parts_;
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_TESTS_UNIT_CLIENT_SCRIPTED_GATEWAY_H_
