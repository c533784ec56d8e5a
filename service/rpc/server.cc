#include "service/rpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/health/v1/health.pb.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"
#include "service/net/listening_sockets.h"
#include "service/rpc/acceptor.h"
#include "service/rpc/call.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/goaway.h"
#include "service/rpc/grpc_version.h"
#include "service/rpc/health.h"
#include "service/rpc/method.h"
#include "service/rpc/open_streams.h"
#include "service/rpc/raw_service.h"
#include "service/rpc/reflection.h"
#include "service/rpc/server_settings.h"
#include "service/rpc/stream.h"
#include "service/rpc/usable_cores.h"
#include "service/source/method_name.h"

namespace pcap_gateway {
namespace {

// As Method::ahead: health checks and reflection are not many.
constexpr int kStreamsAskedFor = 4;

// The drain looks so often whether it is over.
constexpr absl::Duration kStep = absl::Milliseconds(10);
constexpr absl::Duration kQuietBeforeEnd = absl::Milliseconds(500);

// How long none of our own calls has waited for an answer.
class Quiet {
 public:
  explicit Quiet(const CallStats& stats) : stats_(stats) {}

  // A step has passed.
  void Step() { lasts_ = stats_.waiting.load() == 0 ? lasts_ + kStep : absl::ZeroDuration(); }
  bool enough() const { return lasts_ >= kQuietBeforeEnd; }

 private:
  const CallStats& stats_;
  absl::Duration lasts_;
};

// Those of Methods(), each once.
std::set<std::string> OwnServices() {
  std::set<std::string> services;
  for (const Method& method : Methods()) services.emplace(MethodNameOf(method.path).service);
  return services;
}

std::vector<std::string> ServicesToList() {
  const std::set<std::string> own = OwnServices();
  std::vector<std::string> services(own.begin(), own.end());
  // Its name from its descriptor, so that this is linked in.
  services.emplace_back(
      grpc::health::v1::HealthCheckRequest::descriptor()->file()->service(0)->full_name());
  for (std::string& service : ReflectionServices()) services.push_back(std::move(service));
  return services;
}

// What gRPC and protobuf must be told once, before their first use.
void PrepareGrpc() {
  static const bool done = [] {
    // gRPC logs what it also returns; the start's one clear line is ours. And a request whose texts
    // are no UTF-8, which the call's own line tells of, makes protobuf write to stderr, and wait
    // for that. GRPC_VERBOSITY brings the lines back.
    if (std::getenv("GRPC_VERBOSITY") == nullptr) QuietGrpc();
    return true;
  }();
  (void)done;
}

absl::Status CannotListen(absl::string_view address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", why));
}

}  // namespace

struct Server::Parts {
  Parts(Source& source, const ServerOptions& options)
      : defaults{options.default_account_id},
        service_credential(options.service_credential),
        policy(options.policy == nullptr ? no_policy : *options.policy),
        observers(options.observers),
        shares(options.streams.most_of_connection),
        environment{service,
                    source,
                    options.watches,
                    defaults,
                    service_credential,
                    policy,
                    stats,
                    observers,
                    options.tracer,
                    options.clock == nullptr ? own_clock : *options.clock,
                    !options.tls.authorities.empty(),
                    options.most_calls,
                    options.allowed,
                    options.most_downloads},
        health(OwnServices(), options.ready) {
    health.AddMethods(methods);
    if (options.reflection) AddReflectionMethods(services_to_list, methods);
    stream_stats = std::make_unique<StreamStats>(methods);
  }

  void RefreshStreams() {
    for (const auto& of_queue : streams) of_queue->Refresh();
  }
  void EndStreams() {
    for (const auto& of_queue : streams) of_queue->End();
  }
  // The last step of a drain, on a thread that has been there from the start: at the end the
  // system may give none.
  void StartEnder() {
    ender = StartThread([this] {
      Lock lock(ender_mutex);
      ender_wakes.Wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(ender_mutex) {
        return give_up_at.has_value() || ender_is_to_go;
      });
      if (ender_is_to_go) return;
      const auto deadline = absl::ToChronoTime(*give_up_at);
      lock.Unlock();
      // Sends GOAWAY, and returns when the last call has ended.
      server->Shutdown(deadline);
      ended = true;
    });
  }
  void EndBy(absl::Time time) {
    const Lock lock(ender_mutex);
    give_up_at = time;
    ender_wakes.NotifyAll();
  }
  void JoinEnder() {
    if (!ender.joinable()) return;
    {
      const Lock lock(ender_mutex);
      ender_is_to_go = !give_up_at.has_value();
      ender_wakes.NotifyAll();
    }
    ender.join();
  }

  bool LetCallersLeave(const Clock& clock, absl::Time give_up_at,
                       const std::function<bool(absl::Duration)>& wait);

  RawService service;
  const CallDefaults defaults;
  Current<Credential> service_credential;
  const Current<Policy> no_policy;
  const Current<Policy>& policy;
  CallStats stats{Methods().size()};
  const std::vector<CallObserver*> observers;
  const SteadyWallClock own_clock;
  ConnectionShares shares;
  const CallEnvironment environment;

  // All that is not the PcapService.
  grpc::AsyncGenericService other_services;
  Health health;
  const std::vector<std::string> services_to_list = ServicesToList();
  StreamMethods methods;
  std::unique_ptr<StreamStats> stream_stats;          // made when the methods are known
  std::vector<std::unique_ptr<OpenStreams>> streams;  // of each queue

  std::vector<std::unique_ptr<CallQueue>> queues;
  std::unique_ptr<grpc::Server> server;  // it ends before what it uses
  std::unique_ptr<ConnectionIntake> intake;
  std::unique_ptr<Acceptor> acceptor;  // last of these: it brings the others work

  Mutex ender_mutex;
  std::optional<absl::Time> give_up_at ABSL_GUARDED_BY(ender_mutex);
  bool ender_is_to_go ABSL_GUARDED_BY(ender_mutex) = false;
  Condition ender_wakes;
  std::atomic<bool> ended{false};
  std::thread ender;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Source& source,
                                                      const ServerOptions& options) {
  PrepareGrpc();
  auto parts = std::make_unique<Parts>(source, options);
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open(options.listen);
  if (!sockets.ok()) return CannotListen(options.listen, sockets.status().message());
  grpc::ServerBuilder builder;
  // In place of AddListeningPort: see Acceptor.
  parts->intake = std::make_unique<ConnectionIntake>(builder, ServerCredentialsFrom(options.tls));
  AddServerSettings(builder, options.channelz);
  if (options.streams.most_of_connection > 0) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               static_cast<int>(options.streams.most_of_connection));
  }
  builder.RegisterService(&parts->service);
  builder.RegisterAsyncGenericService(&parts->other_services);
  // A queue and a thread for each core: more threads would only take turns.
  const unsigned cores = UsableCores();
  StreamLimits of_queue = options.streams;
  of_queue.most = (of_queue.most + cores - 1) / cores;
  for (unsigned i = 0; i < cores; ++i) {
    parts->queues.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue(), of_queue));
    parts->streams.push_back(std::make_unique<OpenStreams>(
        parts->other_services, parts->methods, *parts->stream_stats, parts->stats.streams,
        parts->shares, parts->policy, !options.tls.authorities.empty(), *parts->queues.back()));
  }
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr) {
    return CannotListen(options.listen, "gRPC cannot use the credentials");
  }
  parts->acceptor = std::make_unique<Acceptor>(
      *std::move(sockets), options.most_connections,
      [&intake = *parts->intake](int connection) { intake.Take(connection); }, options.log);
  for (const auto& streams : parts->streams) {
    CallQueue& queue = streams->queue();
    for (const Method& method : Methods()) {
      for (int i = 0; i < method.ahead; ++i) Call::Take(parts->environment, method, *streams);
    }
    for (int i = 0; i < kStreamsAskedFor; ++i) Stream::Take(*streams);
    queue.Serve();
  }
  if (!parts->acceptor->Start()) {
    return CannotListen(options.listen, "there is no thread or descriptor for it");
  }
  parts->StartEnder();
  const std::string host = options.listen.substr(0, options.listen.rfind(':'));
  const int port = parts->acceptor->port();
  return std::unique_ptr<Server>(new Server(std::move(parts), absl::StrCat(host, ":", port)));
}

Server::Server(std::unique_ptr<Parts> parts, std::string address)
    : parts_(std::move(parts)), address_(std::move(address)) {}

Server::~Server() {
  parts_->JoinEnder();
  parts_->acceptor->Stop();
  parts_->server->Shutdown(std::chrono::system_clock::now());
  parts_->queues.clear();
}

void Server::SetReady() {
  parts_->health.SetReady();
  parts_->RefreshStreams();
}

const CallStats& Server::stats() const { return parts_->stats; }

const StreamStats& Server::stream_stats() const { return *parts_->stream_stats; }

void Server::SetServiceCredential(std::shared_ptr<const Credential> credential) {
  parts_->service_credential.Set(std::move(credential));
}

int64_t Server::connections() const { return parts_->acceptor->connections(); }
const Counter& Server::refused_connections() const { return parts_->acceptor->refused(); }

int64_t Server::open_streams() const {
  int64_t open = 0;
  for (const auto& queue : parts_->queues) open += queue->calls();
  return open;
}

size_t Server::queues() const { return parts_->queues.size(); }
void Server::AskForSign(size_t queue, std::function<void()> answer) {
  parts_->queues.at(queue)->AskForSign(std::move(answer));
}

// Asks all to leave, and waits until they have, or what they wait for is none of our calls. False:
// `wait` was cut short.
bool Server::Parts::LetCallersLeave(const Clock& clock, absl::Time give_up_at,
                                    const std::function<bool(absl::Duration)>& wait) {
  Quiet quiet(stats);
  while (acceptor->connections() > 0 && clock.Now() < give_up_at && !quiet.enough()) {
    // Each time, for connections that were in their handshakes the time before.
    if (!AskCallersToLeave(*server)) return true;
    if (!wait(kStep)) return false;
    quiet.Step();
  }
  return true;
}

void Server::Drain(absl::Duration lame_duck, absl::Duration timeout,
                   const std::function<bool(absl::Duration)>& wait) {
  serving_ = false;
  grpc::Server& server = *parts_->server;
  parts_->health.StopServing();
  parts_->RefreshStreams();
  bool patient = wait(lame_duck);
  // Health watches and reflection never end by themselves, and nobody is to wait for them; a stream
  // of answers may take as long as its reader likes, who finds another gateway.
  parts_->EndStreams();
  parts_->acceptor->Stop();
  const SteadyWallClock clock;  // whatever becomes of the machine's meanwhile
  const absl::Time give_up_at = clock.Now() + timeout;
  patient = patient && parts_->LetCallersLeave(clock, give_up_at, wait);
  parts_->EndBy(give_up_at);
  // A stream whose peer does not read cannot be told its end: what is left when none of our own
  // calls has been there for a while, in which the last answers get onto the wire, is cut off.
  Quiet quiet(stats());
  while (patient && !parts_->ended && !quiet.enough()) {
    patient = wait(kStep);
    quiet.Step();
  }
  if (!parts_->ended) grpc_server_cancel_all_calls(server.c_server());
  parts_->JoinEnder();
}

}  // namespace pcap_gateway
