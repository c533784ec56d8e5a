#include "service/rpc/server.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/health/v1/health.pb.h"
#include "service/rpc/call.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/method.h"
#include "service/rpc/reflection_v1.h"

namespace pcap_gateway {
namespace {

constexpr char kServiceName[] = "pcap.v1.PcapService";

// Requests are below 200 bytes; nobody needs to make us buffer more.
constexpr int kMostRequestBytes = 64 << 10;

// So many calls of a method can come to a queue at once without waiting for its thread to ask for
// another.
constexpr int kCallsAskedFor = 64;

constexpr absl::Duration kQuietBeforeEnd = absl::Milliseconds(500);

struct ChannelArgument {
  const char* name;
  int value;
};

// gRFC A8 and A9; doc/keepalive.md. Times in milliseconds.
constexpr ChannelArgument kChannelArguments[] = {
    // Another program on the same port would take half of the calls; a second start is to fail
    // instead.
    {GRPC_ARG_ALLOW_REUSEPORT, 0},
    {GRPC_ARG_MAX_METADATA_SIZE, 16 << 10},
    {GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000},
    // A peer that is gone is noticed within 80 s.
    {GRPC_ARG_KEEPALIVE_TIME_MS, 60'000},
    {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
    // Clients may ping every 30 s, even without calls; more often is answered with GOAWAY.
    {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
    {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 30'000},
    // Connections end now and then, so that clients spread over replicas that came later.
    {GRPC_ARG_MAX_CONNECTION_AGE_MS, 30 * 60'000},
    {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 5 * 60'000},
    {GRPC_ARG_MAX_CONNECTION_IDLE_MS, 15 * 60'000},
};

std::vector<std::string> ReflectedServices() {
  // gRPC's own health service has no descriptor in our pool unless it is linked in.
  return {kServiceName,
          grpc::health::v1::HealthCheckRequest::descriptor()->file()->service(0)->full_name(),
          "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"};
}

// What gRPC must be told once, before its first use.
void PrepareGrpc() {
  static const bool done = [] {
    // It logs what it also returns; the start's one clear line is ours. GRPC_VERBOSITY brings its
    // lines back.
    if (std::getenv("GRPC_VERBOSITY") == nullptr) {
      gpr_set_log_function([](gpr_log_func_args*) {});
    }
    grpc::EnableDefaultHealthCheckService(true);
    return true;
  }();
  (void)done;
}

// grpc.reflection.v1alpha, from gRPC itself: for all servers of the process that start after this.
void AddReflectionV1Alpha() {
  static const bool done = [] {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)done;
}

}  // namespace

struct Server::Parts {
  Parts(Source& source, const ServerOptions& options)
      : defaults{options.service_credential, options.default_account_id},
        environment{service, source, defaults, stats},
        reflection(ReflectedServices()) {}

  AsyncPcapService service;
  const CallDefaults defaults;
  CallStats stats;
  const CallEnvironment environment;
  ReflectionV1 reflection;
  std::vector<std::unique_ptr<CallQueue>> queues;
  std::unique_ptr<grpc::Server> server;  // last: it ends before what it uses
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Source& source,
                                                      const ServerOptions& options) {
  PrepareGrpc();
  if (options.reflection) AddReflectionV1Alpha();
  auto parts = std::make_unique<Parts>(source, options);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(kMostRequestBytes);
  for (const ChannelArgument& argument : kChannelArguments) {
    builder.AddChannelArgument(argument.name, argument.value);
  }
  builder.RegisterService(&parts->service);
  if (options.reflection) builder.RegisterService(&parts->reflection);
  // A queue and a thread for each core: more threads would only take turns.
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < cores; ++i) {
    parts->queues.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue()));
  }
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen,
                     ": the port is taken, or the address is not this machine's"));
  }
  for (const auto& queue : parts->queues) {
    for (int i = 0; i < kCallsAskedFor; ++i) {
      Call::Take(parts->environment, kGetPcapMethod, *queue);
    }
    queue->Serve();
  }
  parts->server->GetHealthCheckService()->SetServingStatus(kServiceName, true);
  const std::string host = options.listen.substr(0, options.listen.rfind(':'));
  return std::unique_ptr<Server>(new Server(std::move(parts), absl::StrCat(host, ":", port)));
}

Server::Server(std::unique_ptr<Parts> parts, std::string address)
    : parts_(std::move(parts)), address_(std::move(address)) {}

Server::~Server() {
  parts_->server->Shutdown(std::chrono::system_clock::now());
  parts_->queues.clear();
}

const CallStats& Server::stats() const { return parts_->stats; }

void Server::Drain(absl::Duration lame_duck, absl::Duration timeout,
                   const std::function<bool(absl::Duration)>& wait) {
  serving_ = false;
  grpc::Server& server = *parts_->server;
  server.GetHealthCheckService()->SetServingStatus(false);
  bool patient = wait(lame_duck);
  const absl::Time give_up_at = absl::Now() + timeout;
  // Sends GOAWAY, and returns when the last call has ended.
  std::atomic<bool> ended{false};
  std::thread shutdown([&] {
    server.Shutdown(absl::ToChronoTime(give_up_at));
    ended = true;
  });
  // Health watches and reflection streams never end by themselves: they are ended when none of our
  // own calls has been there for a while, in which the last answers get onto the wire.
  absl::Duration quiet;
  while (patient && !ended && quiet < kQuietBeforeEnd) {
    constexpr absl::Duration kStep = absl::Milliseconds(10);
    patient = wait(kStep);
    quiet = stats().waiting.load() == 0 ? quiet + kStep : absl::ZeroDuration();
  }
  if (!ended) grpc_server_cancel_all_calls(server.c_server());
  shutdown.join();
}

}  // namespace pcap_gateway
