#include "tests/unit/client/scripted_gateway.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <chrono>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "pcap/v1/pcap_ownership_service.grpc.pb.h"
#include "pcap/v1/pcap_service.grpc.pb.h"
#include "service/base/mutex.h"

namespace pcap_client {
namespace {

using pcap_gateway::Condition;
using pcap_gateway::Lock;
using pcap_gateway::Mutex;

using pcap::v1::DownloadPcapResponse;
using pcap::v1::GetPcapRequest;
using pcap::v1::GetPcapResponse;

std::string Text(grpc::string_ref text) { return {text.data(), text.size()}; }

class ScriptedPcaps final : public pcap::v1::PcapService::CallbackService {
 public:
  using Step = ScriptedGateway::Step;

  grpc::ServerUnaryReactor* GetPcap(grpc::CallbackServerContext* context,
                                    const GetPcapRequest* request,
                                    GetPcapResponse* response) override {
    return Answer(context, *request, &Step::response, response);
  }
  grpc::ServerUnaryReactor* ListPcaps(grpc::CallbackServerContext* context,
                                      const pcap::v1::ListPcapsRequest* request,
                                      pcap::v1::ListPcapsResponse* response) override {
    return Answer(context, *request, &Step::list, response);
  }
  grpc::ServerUnaryReactor* CreatePcap(grpc::CallbackServerContext* context,
                                       const pcap::v1::CreatePcapRequest* request,
                                       pcap::v1::CreatePcapResponse* response) override {
    return Answer(context, *request, &Step::created, response);
  }
  grpc::ServerUnaryReactor* StopPcap(grpc::CallbackServerContext* context,
                                     const pcap::v1::StopPcapRequest* request,
                                     pcap::v1::StopPcapResponse* response) override {
    return Answer(context, *request, &Step::stopped, response);
  }
  grpc::ServerWriteReactor<DownloadPcapResponse>* DownloadPcap(
      grpc::CallbackServerContext* context, const pcap::v1::DownloadPcapRequest* request) override {
    const Step step = Take(*context, *request);
    AddMetadata(step, *context);
    return new Writer<DownloadPcapResponse>(*this, step, step.download);
  }
  grpc::ServerWriteReactor<pcap::v1::WatchPcapsResponse>* WatchPcaps(
      grpc::CallbackServerContext* context, const pcap::v1::WatchPcapsRequest* request) override {
    const Step step = Take(*context, *request);
    AddMetadata(step, *context);
    return new Writer<pcap::v1::WatchPcapsResponse>(*this, step, step.changes);
  }

  template <typename Response>
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   const google::protobuf::Message& request,
                                   Response Step::* answer, Response* response) {
    const Step step = Take(*context, request);
    if (step.never) return new Never(*this);
    AddMetadata(step, *context);
    *response = step.*answer;
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(StatusOf(step));
    return reactor;
  }

  mutable Mutex mutex;
  mutable Condition changed;  // of `nevers` or `cancelled`
  std::deque<Step> script ABSL_GUARDED_BY(mutex);
  int calls ABSL_GUARDED_BY(mutex) = 0;
  int written ABSL_GUARDED_BY(mutex) = 0;
  int nevers ABSL_GUARDED_BY(mutex) = 0;
  int cancelled ABSL_GUARDED_BY(mutex) = 0;
  std::string last_request ABSL_GUARDED_BY(mutex);
  absl::Time last_deadline ABSL_GUARDED_BY(mutex);
  std::multimap<std::string, std::string> last_metadata ABSL_GUARDED_BY(mutex);

 private:
  class Never : public grpc::ServerUnaryReactor {
   public:
    explicit Never(ScriptedPcaps& service) : service_(service) {}

    void OnCancel() override {
      service_.NoteCancelled();
      Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    ScriptedPcaps& service_;
  };

  // All messages, and then the step's end.
  template <typename Message>
  class Writer : public grpc::ServerWriteReactor<Message> {
   public:
    Writer(ScriptedPcaps& service, const Step& step, std::vector<Message> messages)
        : service_(service), step_(step), messages_(std::move(messages)) {
      WriteNext();
    }

    void OnWriteDone(bool ok) override {
      if (!ok) return EndOnce(grpc::Status::CANCELLED);
      {
        const Lock lock(service_.mutex);
        ++service_.written;
      }
      WriteNext();
    }
    void OnCancel() override {
      service_.NoteCancelled();
      EndOnce(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    void WriteNext() {
      if (next_ < messages_.size()) return this->StartWrite(&messages_[next_++]);
      if (!step_.never) EndOnce(StatusOf(step_));
    }
    void EndOnce(const grpc::Status& status) {
      if (!ended_.exchange(true)) this->Finish(status);
    }

    ScriptedPcaps& service_;
    const Step step_;
    const std::vector<Message> messages_;
    size_t next_ = 0;
    std::atomic<bool> ended_ = false;
  };

  static grpc::Status StatusOf(const Step& step) {
    return {static_cast<grpc::StatusCode>(step.code), step.message, step.details};
  }

  static void AddMetadata(const Step& step, grpc::CallbackServerContext& context) {
    for (const auto& [key, value] : step.initial_metadata) context.AddInitialMetadata(key, value);
    for (const auto& [key, value] : step.trailing_metadata) {
      context.AddTrailingMetadata(key, value);
    }
  }

  // The step of a call that has come.
  Step Take(const grpc::CallbackServerContext& context, const google::protobuf::Message& request) {
    Step step;
    const Lock lock(mutex);
    ++calls;
    last_request = request.SerializeAsString();
    last_deadline = absl::FromChrono(context.deadline());
    last_metadata.clear();
    for (const auto& [key, value] : context.client_metadata()) {
      last_metadata.emplace(Text(key), Text(value));
    }
    if (!script.empty()) step = script.front();
    if (script.size() > 1) script.pop_front();
    if (step.never) {
      ++nevers;
      changed.NotifyAll();
    }
    return step;
  }

  void NoteCancelled() {
    const Lock lock(mutex);
    ++cancelled;
    changed.NotifyAll();
  }
};

// Takes its steps from the same script.
class ScriptedOwnerships final : public pcap::v1::PcapOwnershipService::CallbackService {
 public:
  explicit ScriptedOwnerships(ScriptedPcaps& service) : service_(service) {}

  grpc::ServerUnaryReactor* ListOwnerships(grpc::CallbackServerContext* context,
                                           const pcap::v1::ListOwnershipsRequest* request,
                                           pcap::v1::ListOwnershipsResponse* response) override {
    return service_.Answer(context, *request, &ScriptedGateway::Step::ownerships, response);
  }
  grpc::ServerUnaryReactor* CreateOwnership(grpc::CallbackServerContext* context,
                                            const pcap::v1::CreateOwnershipRequest* request,
                                            pcap::v1::CreateOwnershipResponse* response) override {
    return service_.Answer(context, *request, &ScriptedGateway::Step::ownership, response);
  }
  grpc::ServerUnaryReactor* ValidateOwnership(
      grpc::CallbackServerContext* context, const pcap::v1::ValidateOwnershipRequest* request,
      pcap::v1::ValidateOwnershipResponse* response) override {
    return service_.Answer(context, *request, &ScriptedGateway::Step::validated, response);
  }
  grpc::ServerUnaryReactor* DeleteOwnership(grpc::CallbackServerContext* context,
                                            const pcap::v1::DeleteOwnershipRequest* request,
                                            pcap::v1::DeleteOwnershipResponse* response) override {
    return service_.Answer(context, *request, &ScriptedGateway::Step::deleted, response);
  }

 private:
  ScriptedPcaps& service_;
};

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const SelfSigned* identity) {
  if (identity == nullptr) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({identity->private_key, identity->certificate});
  return grpc::SslServerCredentials(options);
}

}  // namespace

struct ScriptedGateway::Parts {
  ScriptedPcaps service;
  ScriptedOwnerships ownerships{service};
  std::unique_ptr<grpc::Server> server;
  std::string address;
};

ScriptedGateway::ScriptedGateway(const SelfSigned* identity) : parts_(std::make_unique<Parts>()) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", CredentialsOf(identity), &port);
  builder.RegisterService(&parts_->service);
  builder.RegisterService(&parts_->ownerships);
  parts_->server = builder.BuildAndStart();
  parts_->address = absl::StrCat("127.0.0.1:", port);
}

ScriptedGateway::~ScriptedGateway() {
  parts_->server->Shutdown(std::chrono::system_clock::now());  // cancels what never gets an answer
}

void ScriptedGateway::Answer(Step step) {
  const Lock lock(parts_->service.mutex);
  parts_->service.script.push_back(std::move(step));
}

void ScriptedGateway::SetServing(const std::string& service, bool serving) {
  parts_->server->GetHealthCheckService()->SetServingStatus(service, serving);
}

const std::string& ScriptedGateway::address() const { return parts_->address; }

int ScriptedGateway::calls() const {
  const Lock lock(parts_->service.mutex);
  return parts_->service.calls;
}

int ScriptedGateway::written() const {
  const Lock lock(parts_->service.mutex);
  return parts_->service.written;
}

std::string ScriptedGateway::request_bytes() const {
  const Lock lock(parts_->service.mutex);
  return parts_->service.last_request;
}

std::multimap<std::string, std::string> ScriptedGateway::request_metadata() const {
  const Lock lock(parts_->service.mutex);
  return parts_->service.last_metadata;
}

absl::Time ScriptedGateway::deadline() const {
  const Lock lock(parts_->service.mutex);
  return parts_->service.last_deadline;
}

void ScriptedGateway::AwaitNever() const {
  ScriptedPcaps& service = parts_->service;
  Lock lock(service.mutex);
  service.changed.Wait(
      lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service.mutex) { return service.nevers > 0; });
}

void ScriptedGateway::AwaitCancelled(int count) const {
  ScriptedPcaps& service = parts_->service;
  Lock lock(service.mutex);
  service.changed.Wait(lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service.mutex) {
    return service.cancelled >= count;
  });
}

}  // namespace pcap_client
