#include "service/rpc/reply.h"

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_source.h"

namespace pcap_gateway {
namespace {

using How = CacheStatus::How;

TEST(CacheStatusText, IsInTheWordsOfRfc9211) {
  EXPECT_EQ(CacheStatusText({.how = How::kHit, .ttl = absl::Milliseconds(27'900)}),
            "pcap-gateway; hit; ttl=27");
  EXPECT_EQ(CacheStatusText({.how = How::kUriMiss, .stored = true, .ttl = absl::Seconds(2)}),
            "pcap-gateway; fwd=uri-miss; stored; ttl=2");
  EXPECT_EQ(CacheStatusText({.how = How::kStale, .collapsed = true}),
            "pcap-gateway; fwd=stale; collapsed");
  EXPECT_EQ(CacheStatusText({.how = How::kRequest}), "pcap-gateway; fwd=request");
  EXPECT_EQ(CacheStatusText({.how = How::kBypass}), "pcap-gateway; fwd=bypass");
  EXPECT_EQ(CacheStatusText({.how = How::kHit, .ttl = absl::Milliseconds(-2'100)}),
            "pcap-gateway; hit; ttl=-3");
  EXPECT_EQ(CacheStatusText({.how = How::kHit, .shared = true, .ttl = absl::Seconds(9)}),
            "pcap-gateway; hit; ttl=9; detail=shared");
  EXPECT_EQ(CacheStatusText({.how = How::kStale,
                             .stale_if_error = true,
                             .forward_status = 503,
                             .ttl = absl::Seconds(-30)}),
            "pcap-gateway; fwd=stale; fwd-status=503; ttl=-30; detail=stale-if-error");
  EXPECT_EQ(CacheStatusText({.how = How::kOnlyIfCached}), "pcap-gateway; detail=only-if-cached");
  EXPECT_EQ(CacheStatusText({.how = How::kNotForwarded}), "");
}

TEST(MessageBytes, AreTheMessageAtAnySize) {
  for (const size_t size : {0u, 1u, 300u, 2047u, 2048u, 1u << 20}) {
    const std::string message(size, 'm');
    grpc::ByteBuffer bytes = MessageBytes(MakeOutcome(absl::UnixEpoch(), message, Stage::kFinal));
    EXPECT_EQ(bytes.Length(), size);
    grpc::Slice slice;
    ASSERT_TRUE(bytes.DumpToSingleSlice(&slice).ok());
    EXPECT_EQ(std::string(slice.begin(), slice.end()), message);
  }
}

TEST(MessageBytes, OutliveTheOutcome) {
  OutcomePtr outcome = MakeOutcome(absl::UnixEpoch(), std::string(1 << 16, 'm'), Stage::kFinal);
  const std::weak_ptr<const Outcome> watched = outcome;
  {
    const grpc::ByteBuffer bytes = MessageBytes(outcome);
    outcome.reset();
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace pcap_gateway
