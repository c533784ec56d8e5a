#include "service/rpc/health.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <utility>

#include "service/rpc/message_bytes.h"

namespace pcap_gateway {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

grpc::ByteBuffer ResponseWith(Health::Status status) {
  HealthCheckResponse response;
  response.set_status(status);
  return BytesOf(response);
}

// Both methods have one request.
class RequestHandler : public StreamHandler {
 public:
  RequestHandler(const Health& health, Stream& stream) : health_(health), stream_(stream) {}

  void Receive(const grpc::ByteBuffer& message) final {
    HealthCheckRequest request;
    if (!ParseBytes(message, request)) {
      return stream_.Finish({grpc::StatusCode::INVALID_ARGUMENT,
                             "the request is not a valid grpc.health.v1.HealthCheckRequest"});
    }
    Answer(request.service());
  }

  void ReceiveEnd() final {
    stream_.Finish({grpc::StatusCode::INTERNAL, "the call came without a request"});
  }

 protected:
  virtual void Answer(const std::string& service) = 0;

  const Health& health_;
  Stream& stream_;
};

class Check final : public RequestHandler {
 public:
  using RequestHandler::RequestHandler;

 private:
  void Answer(const std::string& service) override {
    const Health::Status status = health_.StatusOf(service);
    if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
      return stream_.Finish({grpc::StatusCode::NOT_FOUND, "the server has no such service"});
    }
    stream_.Write(ResponseWith(status));
    stream_.Finish(grpc::Status::OK);
  }
};

// Keeps the status it told last, and never more than one message under way: a peer that reads
// slowly misses what has been overtaken, and gets the latest.
class Watch final : public RequestHandler {
 public:
  using RequestHandler::RequestHandler;

  void Sent() override { Tell(); }
  void Refresh() override { Tell(); }

 private:
  void Answer(const std::string& service) override {
    service_ = service;
    Tell();
  }

  void Tell() {
    if (!service_.has_value() || stream_.writing()) return;
    const Health::Status status = health_.StatusOf(*service_);
    if (told_ == status) return;
    told_ = status;
    stream_.Write(ResponseWith(status));
  }

  std::optional<std::string> service_;  // once asked for
  std::optional<Health::Status> told_;
};

}  // namespace

Health::Health(std::set<std::string> services, bool ready)
    : services_(std::move(services)), ready_(ready) {}

Health::Status Health::StatusOf(const std::string& service) const {
  if (!service.empty() && !services_.contains(service)) {
    return HealthCheckResponse::SERVICE_UNKNOWN;
  }
  const bool serves = ready_.load() && !stopped_.load();
  return serves ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

void Health::AddMethods(StreamMethods& methods) const {
  methods[kHealthCheckPath] = [this](Stream& stream) {
    return std::make_unique<Check>(*this, stream);
  };
  methods["/grpc.health.v1.Health/Watch"] = [this](Stream& stream) {
    return std::make_unique<Watch>(*this, stream);
  };
}

}  // namespace pcap_gateway
