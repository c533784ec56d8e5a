#include "service/base/counter.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pcap_gateway {
namespace {

TEST(Counter, BeginsAtZeroAndAdds) {
  Counter counter;
  EXPECT_EQ(counter.Value(), 0u);
  counter.Add();
  counter.Add(41);
  EXPECT_EQ(counter.Value(), 42u);
}

// More threads than it has cells, and a reader among them that never sees it fall.
TEST(Counter, LosesNothingBetweenThreads) {
  constexpr int kThreads = 20;
  constexpr int kRounds = 2000;
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      uint64_t last = 0;
      for (int round = 0; round < kRounds; ++round) {
        counter.Add();
        const uint64_t value = counter.Value();
        EXPECT_GT(value, last);
        last = value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.Value(), uint64_t{kThreads} * kRounds);
}

}  // namespace
}  // namespace pcap_gateway
