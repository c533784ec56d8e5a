#include "service/loop/pending.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PendingTest : public testing::Test {
 protected:
  std::vector<int> results_;
  Pending<int> pending_{[this](int result) { results_.push_back(result); }};
};

TEST_F(PendingTest, TheFirstResultCounts) {
  EXPECT_TRUE(pending_.open());
  pending_.Finish(1);
  EXPECT_FALSE(pending_.open());
  pending_.Finish(2);
  pending_.Cancel(3);
  EXPECT_THAT(results_, ElementsAre(1));
}

TEST_F(PendingTest, NobodyWaitsForOneThatWasNotAskedFor) {
  Pending<int> nobody;
  EXPECT_FALSE(nobody.open());
  nobody.Finish(1);
  nobody.Cancel(2);
  EXPECT_THAT(results_, IsEmpty());
}

TEST_F(PendingTest, CancellingEndsWhatIsUnderWayWhoseResultCounts) {
  int cancelled = 0;
  pending_.Hold(Ticket([&] {
    ++cancelled;
    pending_.Finish(1);
  }));
  pending_.Cancel(2);
  pending_.Cancel(3);
  EXPECT_EQ(cancelled, 1);
  EXPECT_THAT(results_, ElementsAre(1));
}

TEST_F(PendingTest, CancellingGivesAResultWhereNothingElseDoes) {
  pending_.Hold(Ticket([] {}));
  pending_.Cancel(2);
  EXPECT_THAT(results_, ElementsAre(2));
}

// What fails at once has its result before its ticket.
TEST_F(PendingTest, ATicketThatComesAfterTheResultIsDropped) {
  pending_.Finish(1);
  pending_.Hold(Ticket([] { ADD_FAILURE() << "cancelled"; }));
  pending_.Cancel(2);
  EXPECT_THAT(results_, ElementsAre(1));
}

TEST_F(PendingTest, WhatIsHeldLastIsWhatIsCancelled) {
  pending_.Hold(Ticket([] { ADD_FAILURE() << "cancelled"; }));
  int cancelled = 0;
  pending_.Hold(Ticket([&] { ++cancelled; }));
  pending_.Cancel(2);
  EXPECT_EQ(cancelled, 1);
}

}  // namespace
}  // namespace pcap_gateway
