#include "service/rpc/server_settings.h"

#include <cstddef>
#include <limits>

namespace pcap_gateway {
namespace {

// Requests are below 200 bytes; nobody needs to make us buffer more.
constexpr int kMostRequestBytes = 64 << 10;

// For what gRPC holds for connections and calls: its buffers for reading, and messages. Beyond it,
// it reads less at a time and then closes connections.
constexpr size_t kMostConnectionBytes = 256 << 20;

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
    // Newer gRPC would count streams that are over and not yet freed, and refuse calls of clients
    // that keep to the number they were told. Our own bounds on calls and streams do without it.
    {"grpc.http.overload_protection", 0},
    // Newer gRPC would end calls as CANCELLED once 1,000 of their method wait to be taken over,
    // chosen by chance: under one peer's flood, other peers' calls as well.
    {"grpc.server.max_pending_requests", std::numeric_limits<int>::max()},
    {"grpc.server.max_pending_requests_hard_limit", std::numeric_limits<int>::max()},
    // A connection that does not get through HTTP/2's preface and first SETTINGS is closed after
    // that; by default it may hold a descriptor for two minutes. Costs nothing once that is done.
    {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000},
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

}  // namespace

void AddServerSettings(grpc::ServerBuilder& builder, bool channelz) {
  builder.SetMaxReceiveMessageSize(kMostRequestBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("pcap-gateway").Resize(kMostConnectionBytes));
  // gRPC unpacks a message before it looks at its size: 64 KiB on the wire would cost 64 MiB and a
  // fifth of a second. Such a call is UNIMPLEMENTED, as gRPC's compression.md has it.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  for (const ChannelArgument& argument : kChannelArguments) {
    builder.AddChannelArgument(argument.name, argument.value);
  }
  // On by default, for whoever might ask.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, channelz ? 1 : 0);
}

}  // namespace pcap_gateway
