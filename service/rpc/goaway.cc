#include "service/rpc/goaway.h"

#include <grpcpp/grpcpp.h>

// One way for each gRPC that we know; this is the only file that knows of the difference.
#if __has_include(<grpc/grpc_server_goaway.h>)

// gRPC as deploy/grpc/build makes it has a function for it.
#include <grpc/grpc_server_goaway.h>

namespace pcap_gateway {

bool AskCallersToLeave(grpc::Server& server) {
  grpc_server_send_goaways(server.c_server());
  return true;
}

}  // namespace pcap_gateway

#else

#include <grpc/grpc.h>

#include <string>

#include "absl/strings/match.h"

// grpc_core::Server::SendGoaways(), a member without arguments. libgrpc exports it, but no header
// that is installed declares it. Weak, so that a gRPC without it links, too; and only called where
// it was seen to do this, because nothing is promised of it.
extern "C" void SendGoawaysOfGrpcCore(grpc_server* server) __asm__(
    "_ZN9grpc_core6Server11SendGoawaysEv") __attribute__((weak));

namespace pcap_gateway {
namespace {

void SendGoaways(void* server) { SendGoawaysOfGrpcCore(static_cast<grpc_server*>(server)); }

// Where it was seen to do this: a drain lost no call, and 5 to 16 of 70,000 without it on 1.83.
bool IsKnown(const std::string& version) {
  return absl::StartsWith(version, "1.51.") || absl::StartsWith(version, "1.83.");
}

}  // namespace

bool AskCallersToLeave(grpc::Server& server) {
  if (SendGoawaysOfGrpcCore == nullptr || !IsKnown(grpc::Version())) return false;
  // The core's functions need an execution context on their thread's stack, which is no business of
  // the public API's users. The end of a byte buffer brings one, and in it calls what we give it.
  static char nothing[64];
  grpc::ByteBuffer buffer;
  {
    // A grpc_server is a grpc_core::Server by another name (cpp_impl_of.h).
    const grpc::Slice slice(nothing, sizeof(nothing), &SendGoaways, server.c_server());
    buffer = grpc::ByteBuffer(&slice, 1);
  }
  return true;
}

}  // namespace pcap_gateway

#endif
