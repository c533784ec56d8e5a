#include "client/pcapctl/metric_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pcap_client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr char kPage[] = R"(# HELP hits_total Calls answered.
# TYPE hits_total counter
hits_total 12
hits_total_of_another_kind 100
stale_total{reason="error"} 3
stale_total{reason="revalidate",kind="a b"} 4
rate 1.5e+3
)";

TEST(MetricSamples, AreFoundByTheirWholeName) {
  const MetricSamples samples(kPage);
  EXPECT_EQ(samples.Sum("hits_total"), 12);
  EXPECT_EQ(samples.Sum("rate"), 1500);
  EXPECT_EQ(samples.Sum("hits"), std::nullopt);
  EXPECT_EQ(samples.Sum("HELP"), std::nullopt);
}

TEST(MetricSamples, OfOneNameAddUp) {
  const MetricSamples samples(kPage);
  EXPECT_EQ(samples.Sum("stale_total"), 7);
  EXPECT_EQ(samples.Sum("stale_total", R"(reason="revalidate")"), 4);
  EXPECT_EQ(samples.Sum("stale_total", R"(reason="sloth")"), std::nullopt);
}

TEST(MetricSamples, ALineThatIsNoneCostsNoOther) {
  const MetricSamples samples("<html>\n\nalone\na 1\r\nb one\nc 2");
  EXPECT_THAT(samples.series(), ElementsAre(Pair("a", 1), Pair("c", 2)));
  EXPECT_THAT(MetricSamples("").series(), IsEmpty());
}

}  // namespace
}  // namespace pcap_client
