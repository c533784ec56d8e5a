#include "service/base/recent.h"

#include <gtest/gtest.h>

#include <memory>

namespace pcap_gateway {
namespace {

TEST(Recent, MakesAValueOnceAndFindsIt) {
  Recent<int, int> recent(10);
  EXPECT_EQ(recent.Find(1), nullptr);
  EXPECT_EQ(recent[1], 0);
  recent[1] = 5;
  ASSERT_NE(recent.Find(1), nullptr);
  EXPECT_EQ(*recent.Find(1), 5);
}

TEST(Recent, KeepsTheLatestAndAtMostTwiceAsMany) {
  constexpr int kFewest = 10;
  Recent<int, int> recent(kFewest);
  for (int key = 0; key < 1000; ++key) {
    recent[key] = key;
    int kept = 0;
    for (int other = 0; other <= key; ++other) {
      const bool is_kept = recent.Find(other) != nullptr;
      kept += is_kept ? 1 : 0;
      EXPECT_TRUE(is_kept || other <= key - kFewest) << other << " after " << key;
    }
    EXPECT_LE(kept, 2 * kFewest);
  }
}

TEST(Recent, WhatIsAskedForAgainStaysAsItIs) {
  Recent<int, std::unique_ptr<int>> recent(3);
  recent[0] = std::make_unique<int>(7);
  const int* const value = recent[0].get();
  for (int key = 1; key < 100; ++key) {
    recent[key];
    EXPECT_EQ(recent[0].get(), value) << "after " << key;
  }
}

}  // namespace
}  // namespace pcap_gateway
