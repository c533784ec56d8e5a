#include "service/operations/share.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

namespace pcap_gateway {
namespace {

int TakenOf(Share& share, int questions) {
  int taken = 0;
  for (int i = 0; i < questions; ++i) taken += share.Take() ? 1 : 0;
  return taken;
}

TEST(Share, IsExact) {
  for (const double fraction : {0.0, 0.001, 0.01, 0.1, 0.25, 1.0 / 3, 0.5, 0.7, 0.99, 0.999, 1.0}) {
    Share share(fraction);
    EXPECT_EQ(TakenOf(share, 1'000'000), std::lround(std::floor(1'000'000 * fraction))) << fraction;
  }
}

TEST(Share, IsEvenlySpread) {
  Share share(0.01);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(TakenOf(share, 100), 1);
}

TEST(Share, IsExactWhoeverAsks) {
  Share share(0.25);
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { taken += TakenOf(share, 10'000); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 10'000);
}

}  // namespace
}  // namespace pcap_gateway
