#include "service/operations/heartbeat.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

namespace pcap_gateway {
namespace {

using Answers = std::vector<std::function<void()>>;

// Keeps what it is asked, until the test answers.
Heartbeat::Ask AskedIn(Answers& answers) {
  return [&answers](std::function<void()> answer) { answers.push_back(std::move(answer)); };
}

TEST(HeartbeatTest, BeatsWhileEverybodyAnswers) {
  Answers one;
  Answers other;
  Heartbeat heartbeat({AskedIn(one), AskedIn(other)});
  EXPECT_TRUE(heartbeat.Beat());
  for (size_t beat = 1; beat <= 3; ++beat) {
    ASSERT_EQ(one.size(), beat);
    ASSERT_EQ(other.size(), beat);
    one.back()();
    other.back()();
    EXPECT_TRUE(heartbeat.Beat());
  }
}

TEST(HeartbeatTest, StopsWithTheFirstWhoDoesNotAnswer) {
  Answers well;
  Answers hung;
  Heartbeat heartbeat({AskedIn(well), AskedIn(hung)});
  EXPECT_TRUE(heartbeat.Beat());
  for (int beat = 0; beat < 3; ++beat) {
    well.back()();
    EXPECT_FALSE(heartbeat.Beat());
  }
  EXPECT_EQ(hung.size(), 1u) << "asked again before it had answered";
}

TEST(HeartbeatTest, GoesOnWithALateAnswer) {
  Answers late;
  Heartbeat heartbeat({AskedIn(late)});
  EXPECT_TRUE(heartbeat.Beat());
  EXPECT_FALSE(heartbeat.Beat());
  late.back()();
  EXPECT_TRUE(heartbeat.Beat());
  EXPECT_EQ(late.size(), 2u);
}

TEST(HeartbeatTest, AnAnswerMayComeAfterItsEnd) {
  Answers late;
  {
    Heartbeat({AskedIn(late)}).Beat();
  }
  late.back()();
}

}  // namespace
}  // namespace pcap_gateway
