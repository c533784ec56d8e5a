#include "service/rpc/channelz_server.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {

struct ChannelzServer::Parts {
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<ChannelzServer>> ChannelzServer::Start(const std::string& address) {
  grpc::channelz::experimental::InitChannelzService();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  auto parts = std::make_unique<Parts>();
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address, ": the port is taken, or the address is not this machine's"));
  }
  const std::string host = address.substr(0, address.rfind(':'));
  return std::unique_ptr<ChannelzServer>(
      new ChannelzServer(std::move(parts), absl::StrCat(host, ":", port)));
}

ChannelzServer::ChannelzServer(std::unique_ptr<Parts> parts, std::string address)
    : parts_(std::move(parts)), address_(std::move(address)) {}

ChannelzServer::~ChannelzServer() { parts_->server->Shutdown(std::chrono::system_clock::now()); }

}  // namespace pcap_gateway
