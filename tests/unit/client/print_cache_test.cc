#include "client/pcapctl/print_cache.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

namespace pcap_client {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kCache[] = R"(
pcap_gateway_cache_hits_total 90
pcap_gateway_cache_misses_total 10
pcap_gateway_cache_collapsed_total 4
pcap_gateway_cache_stale_total{reason="revalidate"} 3
pcap_gateway_cache_stale_total{reason="error"} 2
pcap_gateway_cache_entries 5
pcap_gateway_cache_bytes 2000
pcap_gateway_cache_limit_bytes 67108864
pcap_gateway_cache_evictions_total 1
pcap_gateway_cache_refreshes_total 8
pcap_gateway_cache_confirmed_total 0
)";
constexpr char kUpstream[] = R"(
pcap_gateway_upstream_requests_total 14
pcap_gateway_upstream_calls_saved_total 94
)";
constexpr char kRedis[] = R"(
pcap_gateway_redis_up 0
pcap_gateway_redis_failures_total{kind="timeout"} 3
pcap_gateway_redis_failures_total{kind="connection"} 4
)";

TEST(CacheTable, HasWhatOperatorsAskFor) {
  EXPECT_EQ(CacheTable(MetricSamples(std::string(kCache) + kUpstream)), R"(Calls
  Hits                90 (90.0 %)
  Misses              10
  Collapsed           4
  Stale, revalidated  3
  Stale, on error     2
Store
  Entries             5
  Bytes               2000 (0.0 %)
  Limit, bytes        67108864
  Evictions           1
Upstream
  Requests            14
  Calls saved         94
  Refreshes           8
  Confirmed final     0
)");
}

TEST(CacheTable, SaysSoWhereThereIsNoCache) {
  const std::string table = CacheTable(MetricSamples(kUpstream));
  EXPECT_THAT(table, StartsWith("Cache          off\n"));
  EXPECT_THAT(table, Not(HasSubstr("Hits")));
}

TEST(CacheTable, HasRedisWhereThereIsOne) {
  const std::string table = CacheTable(MetricSamples(std::string(kCache) + kRedis));
  EXPECT_THAT(table, HasSubstr("State               down\n"));
  EXPECT_THAT(table, HasSubstr("Failures            7\n"));
  EXPECT_THAT(CacheTable(MetricSamples(kCache)), Not(HasSubstr("Redis")));
}

TEST(CacheTable, OfAGatewayThatWasNeverAskedDividesByNothing) {
  const std::string table = CacheTable(
      MetricSamples("pcap_gateway_cache_hits_total 0\npcap_gateway_cache_misses_total 0"));
  EXPECT_THAT(table, HasSubstr("  Hits    0\n"));
}

TEST(CacheJson, HasTheSeriesOfTheCacheByTheirNames) {
  google::protobuf::Struct object;
  const std::string json = CacheJson(MetricSamples(std::string(kCache) + kRedis + "other_total 1"));
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &object).ok()) << json;
  EXPECT_EQ(object.fields().at("pcap_gateway_cache_hits_total").number_value(), 90);
  EXPECT_EQ(
      object.fields().at(R"(pcap_gateway_redis_failures_total{kind="timeout"})").number_value(), 3);
  EXPECT_FALSE(object.fields().contains("other_total"));
}

}  // namespace
}  // namespace pcap_client
