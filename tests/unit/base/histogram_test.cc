#include "service/base/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pcap_gateway {
namespace {

using testing::ElementsAre;

TEST(Histogram, CountsADurationInTheFirstBucketThatHoldsIt) {
  Histogram histogram({absl::Milliseconds(1), absl::Seconds(1)});
  histogram.Observe(absl::ZeroDuration());
  histogram.Observe(absl::Milliseconds(1));
  histogram.Observe(absl::Milliseconds(1) + absl::Nanoseconds(1));
  histogram.Observe(absl::Seconds(1));
  histogram.Observe(absl::Hours(1));
  const HistogramSnapshot snapshot = histogram.Snapshot();
  EXPECT_THAT(snapshot.bounds, ElementsAre(0.001, 1.0));
  EXPECT_THAT(snapshot.counts, ElementsAre(2, 2, 1));
  EXPECT_NEAR(snapshot.sum, 3601.002, 1e-6);
}

// A clock that was set back by somebody.
TEST(Histogram, TakesLessThanNothingForNothing) {
  Histogram histogram({absl::Milliseconds(1)});
  histogram.Observe(absl::Seconds(-5));
  EXPECT_THAT(histogram.Snapshot().counts, ElementsAre(1, 0));
  EXPECT_EQ(histogram.Snapshot().sum, 0);
}

TEST(HistogramSnapshot, AddsUpWhatSeveralHistogramsHave) {
  Histogram one({absl::Milliseconds(1)});
  Histogram other({absl::Milliseconds(1)});
  one.Observe(absl::Microseconds(1));
  other.Observe(absl::Microseconds(1));
  other.Observe(absl::Seconds(2));
  HistogramSnapshot sum;
  sum.Add(one.Snapshot());
  sum.Add(other.Snapshot());
  EXPECT_THAT(sum.bounds, ElementsAre(0.001));
  EXPECT_THAT(sum.counts, ElementsAre(2, 1));
  EXPECT_NEAR(sum.sum, 2.000002, 1e-9);
}

TEST(Histogram, LosesNoneOfSeveralThreads) {
  Histogram histogram({absl::Milliseconds(1)});
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) histogram.Observe(absl::Microseconds(1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(histogram.Snapshot().counts, ElementsAre(12'000, 0));
  EXPECT_NEAR(histogram.Snapshot().sum, 0.012, 1e-9);
}

}  // namespace
}  // namespace pcap_gateway
