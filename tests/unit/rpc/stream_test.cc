#include "service/rpc/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/rpc/running_server.h"

namespace pcap_gateway {
namespace {

TEST(Stream, AnUnknownMethodIsUnimplementedAndNoCallOfTheService) {
  RunningServer server;
  for (const char* path :
       {"/no.Such/Method", "/pcap.v1.PcapService/NoSuch", "/grpc.health.v1.Health/List", "/x"}) {
    RawCall call(server.channel(), path);
    EXPECT_FALSE(call.Read()) << path;
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << path;
    EXPECT_EQ(status.error_message(), std::string("unknown method ") + path);
  }
  EXPECT_EQ(server->stats().of.front().started.Value(), 0u);
}

TEST(Stream, TheUnknownMethodsOfAPeerAreNotRepeatedAtLength) {
  RunningServer server;
  RawCall call(server.channel(), "/" + std::string(4000, 'x'));
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_LT(status.error_message().size(), 300u);
}

TEST(Stream, AMessageOverTheLimitEndsItAlone) {
  RunningServer server;
  const std::string path = "/grpc.health.v1.Health/Check";
  RawCall call(server.channel(), path);
  call.Write(std::string(1 << 20, 'x'));
  EXPECT_FALSE(call.Read());
  EXPECT_FALSE(call.Finish().ok());
  RawCall next(server.channel(), path);
  ASSERT_TRUE(next.Write(""));
  EXPECT_TRUE(next.Read());
}

}  // namespace
}  // namespace pcap_gateway
