#include "service/base/burst.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Burst, RunsTasksAtItsEndInTheirOrder) {
  std::vector<int> ran;
  {
    const Burst burst;
    Burst::AtEnd([&] { ran.push_back(1); });
    Burst::AtEnd([&] { ran.push_back(2); });
    EXPECT_THAT(ran, IsEmpty());
  }
  EXPECT_THAT(ran, ElementsAre(1, 2));
}

TEST(Burst, WithoutOneATaskRunsAtOnce) {
  std::vector<int> ran;
  {
    const Burst burst;
  }
  Burst::AtEnd([&] { ran.push_back(1); });
  EXPECT_THAT(ran, ElementsAre(1));
}

TEST(Burst, IsOfItsOwnThreadAlone) {
  std::vector<int> ran;
  const Burst burst;
  std::thread other([&] { Burst::AtEnd([&] { ran.push_back(1); }); });
  other.join();
  EXPECT_THAT(ran, ElementsAre(1));
}

TEST(Burst, ATaskAddedByATaskRunsToo) {
  std::vector<int> ran;
  {
    const Burst burst;
    Burst::AtEnd([&] { Burst::AtEnd([&] { ran.push_back(1); }); });
  }
  EXPECT_THAT(ran, ElementsAre(1));
}

}  // namespace
}  // namespace pcap_gateway
