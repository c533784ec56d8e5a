// Intake: what a call wants and whether it may, from its request and its metadata, for methods of
// any shape.
//
//   Intake intake(environment, method, context);
//   if (std::optional<Error> error = intake.CheckCaller()) return error;    // the call is there
//   if (std::optional<Error> error = intake.Read(request)) return error;    // and its request
//   source.Ask(intake.query, std::move(done));
#ifndef PCAP_GATEWAY_SERVICE_RPC_INTAKE_H_
#define PCAP_GATEWAY_SERVICE_RPC_INTAKE_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "service/rpc/call_environment.h"
#include "service/rpc/gate.h"
#include "service/rpc/method.h"
#include "service/source/call_tracer.h"
#include "service/source/error.h"
#include "service/source/query.h"

namespace pcap_gateway {

// Lives as long as its call, and on its thread.
struct Intake {
  // All outlive it. `context` may still be empty.
  Intake(const CallEnvironment& environment, const Method& method, grpc::ServerContext& context);

  // The call has come. Whether its caller may make it, which is said whether or not the request is
  // there; nullopt: it may. Once, and first.
  std::optional<Error> CheckCaller();

  // Fills in `query` from the request, and from the metadata as ReadMetadata does. What is wrong
  // with the request comes before what is wrong with the metadata; nullopt: nothing is.
  std::optional<Error> Read(const grpc::ByteBuffer& request);

  // For a call that is refused without its request. What the metadata adds to `query`; the trace is
  // filled in even when there is an error to tell.
  std::optional<Error> ReadMetadata();

  // The call is about to wait for an answer: fills in what only that needs.
  void PrepareToAsk();

  // Gives the call a name, if the caller gave it none, by which somebody may find it again. That
  // goes no further: what ties this end to Cloudflare's is cf-ray.
  void NameCall();

  // As the policy knows the caller; empty: its certificate names none, or it showed none. Takes
  // gRPC a dozen allocations.
  std::string PrincipalName() const;

  std::chrono::steady_clock::time_point began;
  Query query;
  std::string request_id;          // what the caller is told; empty: it has none (yet)
  std::unique_ptr<CallSpan> span;  // null: it has none

 private:
  absl::Time Deadline() const;

  const CallEnvironment& environment_;
  const Method& method_;
  grpc::ServerContext& context_;
  std::optional<Gate> gate_;  // once the caller is checked
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_INTAKE_H_
