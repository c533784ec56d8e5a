#include "service/operations/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::StrEq;

double One() { return 1; }

TEST(Metrics, AreEmptyBeforeAnyIsAdded) { EXPECT_EQ(Metrics().Text(), ""); }

TEST(Metrics, SaysHelpTypeAndValue) {
  Metrics metrics;
  metrics.Add({.name = "calls_total", .help = "Calls.", .value = One});
  metrics.Add({.name = "waiting", .help = "Waiting.", .type = Metric::Type::kGauge, .value = One});
  EXPECT_THAT(metrics.Text(), StrEq("# HELP calls_total Calls.\n"
                                    "# TYPE calls_total counter\n"
                                    "calls_total 1\n"
                                    "# HELP waiting Waiting.\n"
                                    "# TYPE waiting gauge\n"
                                    "waiting 1\n"));
}

TEST(Metrics, AsksForTheValueEachTime) {
  double value = 0;
  Metrics metrics;
  metrics.Add({.name = "calls_total", .help = "Calls.", .value = [&] { return value; }});
  EXPECT_THAT(metrics.Text(), HasSubstr("calls_total 0\n"));
  value = 7;
  EXPECT_THAT(metrics.Text(), HasSubstr("calls_total 7\n"));
}

TEST(Metrics, CountsExactlyUpTo2To53) {
  Metrics metrics;
  metrics.Add(
      {.name = "bytes_total", .help = "Bytes.", .value = [] { return 9007199254740991.0; }});
  EXPECT_THAT(metrics.Text(), HasSubstr("bytes_total 9007199254740991\n"));
}

TEST(Metrics, OfAHistogramEachBucketHoldsThoseBeforeIt) {
  Histogram histogram({absl::Milliseconds(1), absl::Seconds(1)});
  histogram.Observe(absl::Milliseconds(1));
  histogram.Observe(absl::Milliseconds(2));
  histogram.Observe(absl::Seconds(2));
  Metrics metrics;
  metrics.Add({.name = "time_seconds",
               .help = "Time.",
               .type = Metric::Type::kHistogram,
               .labels = {{"a", "b"}},
               .histogram = [&] { return histogram.Snapshot(); }});
  EXPECT_THAT(metrics.Text(), StrEq("# HELP time_seconds Time.\n"
                                    "# TYPE time_seconds histogram\n"
                                    "time_seconds_count{a=\"b\"} 3\n"
                                    "time_seconds_sum{a=\"b\"} 2.003\n"
                                    "time_seconds_bucket{a=\"b\",le=\"0.001\"} 1\n"
                                    "time_seconds_bucket{a=\"b\",le=\"1\"} 2\n"
                                    "time_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\n"));
}

// A format rule of Prometheus: one HELP and TYPE a name, its series one behind the other.
TEST(Metrics, SeriesOfOneNameStandTogether) {
  Metrics metrics;
  metrics.Add({.name = "a_total", .help = "A.", .labels = {{"code", "OK"}}, .value = One});
  metrics.Add({.name = "b_total", .help = "B.", .value = One});
  metrics.Add({.name = "a_total", .help = "A.", .labels = {{"code", "Aborted"}}, .value = One});
  EXPECT_THAT(metrics.Text(), StrEq("# HELP a_total A.\n"
                                    "# TYPE a_total counter\n"
                                    "a_total{code=\"OK\"} 1\n"
                                    "a_total{code=\"Aborted\"} 1\n"
                                    "# HELP b_total B.\n"
                                    "# TYPE b_total counter\n"
                                    "b_total 1\n"));
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.Add({.name = "a_total", .help = "A.", .labels = {{"l", "a\"b\\c\nd"}}, .value = One});
  EXPECT_THAT(metrics.Text(), HasSubstr("a_total{l=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

}  // namespace
}  // namespace pcap_gateway
