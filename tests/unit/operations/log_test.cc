#include "service/operations/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;
using testing::ElementsAre;

constexpr std::chrono::seconds kPatience{20};

// An output that a test stops, breaks and looks at.
class Paper {
 public:
  bool Write(absl::string_view line) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !blocked_; });
    if (!broken_) lines_.emplace_back(line);
    changed_.notify_all();
    return !broken_;
  }

  void Block(bool blocked) {
    const std::lock_guard lock(mutex_);
    blocked_ = blocked;
    changed_.notify_all();
  }

  void Break(bool broken) {
    const std::lock_guard lock(mutex_);
    broken_ = broken;
  }

  // So many lines were begun.
  void AwaitBegun(int count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kPatience, [&] { return begun_ >= count; }));
  }

  // The message of each line, and where lines were dropped, how many.
  std::vector<std::string> AwaitLines(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return lines_.size() >= count; }));
    std::vector<std::string> messages;
    for (const std::string& line : lines_) {
      const json parsed = json::parse(line);
      messages.push_back(parsed.contains("dropped") ? parsed["dropped"].dump()
                                                    : parsed["message"].get<std::string>());
    }
    return messages;
  }

  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool blocked_ = false;
  bool broken_ = false;
  int begun_ = 0;
  std::vector<std::string> lines_;
};

class PaperOutput final : public LogOutput {
 public:
  explicit PaperOutput(std::shared_ptr<Paper> paper) : paper_(std::move(paper)) {}
  bool Write(absl::string_view line) override { return paper_->Write(line); }

 private:
  const std::shared_ptr<Paper> paper_;
};

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { paper_->Block(false); }

  std::unique_ptr<Log> MakeLog(LogLevel level = LogLevel::kDebug) {
    return std::make_unique<Log>(
        LogSettings{.level = level,
                    .redact = [](absl::string_view text) { return std::string(text); },
                    .now = [] { return absl::UnixEpoch(); },
                    .most_waiting = 8,
                    .patience = patience_},
        std::make_unique<PaperOutput>(paper_));
  }

  const std::shared_ptr<Paper> paper_ = std::make_shared<Paper>();
  absl::Duration patience_ = absl::Seconds(20);
};

TEST_F(LogTest, WritesWhatItIsToldBeforeItEnds) {
  auto log = MakeLog();
  log->Write(LogLevel::kInfo, "one", {{"n", int64_t{1}}});
  log->Write(LogLevel::kWarn, "two");
  log.reset();
  EXPECT_THAT(paper_->lines(),
              ElementsAre("{\"time\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"info\","
                          "\"message\":\"one\",\"n\":1}\n",
                          "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"warn\","
                          "\"message\":\"two\"}\n"));
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevel) {
  constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn,
                                  LogLevel::kError};
  for (const LogLevel least : kLevels) {
    const size_t before = paper_->lines().size();
    auto log = MakeLog(least);
    size_t taken = 0;
    for (const LogLevel level : kLevels) {
      EXPECT_EQ(log->Takes(level), level >= least);
      taken += log->Takes(level) ? 1 : 0;
      log->Write(level, "line");
    }
    log.reset();
    EXPECT_EQ(paper_->lines().size() - before, taken);
  }
}

TEST_F(LogTest, AnOutputThatStandsStillHoldsNobodyUpAndTheOldestLinesAreDropped) {
  auto log = MakeLog();
  paper_->Block(true);
  log->Write(LogLevel::kInfo, "first");
  paper_->AwaitBegun(1);
  for (int i = 0; i < 20; ++i) log->Write(LogLevel::kInfo, std::to_string(i));
  EXPECT_EQ(log->dropped(), 12u);
  paper_->Block(false);
  EXPECT_THAT(paper_->AwaitLines(10),
              ElementsAre("first", "12", "12", "13", "14", "15", "16", "17", "18", "19"));
  log->Write(LogLevel::kInfo, "after");
  log.reset();
  EXPECT_EQ(paper_->AwaitLines(11).back(), "after");  // and no more is said of it
  EXPECT_EQ(paper_->lines().size(), 11u);
}

TEST_F(LogTest, AnOutputThatTakesNothingIsTriedAgainAndToldWhatItMissed) {
  auto log = MakeLog();
  paper_->Break(true);
  for (int i = 0; i < 3; ++i) {
    log->Write(LogLevel::kInfo, "lost");
    paper_->AwaitBegun(i + 1);
  }
  ASSERT_TRUE(Until([&] { return log->dropped() >= 3; }));
  paper_->Break(false);
  log->Write(LogLevel::kInfo, "after");
  EXPECT_THAT(paper_->AwaitLines(2), ElementsAre("3", "after"));
  EXPECT_EQ(log->dropped(), 3u);
}

TEST_F(LogTest, TheEndTellsWhatWasDroppedSinceTheLastLine) {
  auto log = MakeLog();
  paper_->Break(true);
  log->Write(LogLevel::kInfo, "lost");
  ASSERT_TRUE(Until([&] { return log->dropped() >= 1; }));
  paper_->Break(false);
  log.reset();
  EXPECT_THAT(paper_->AwaitLines(1), ElementsAre("1"));
}

TEST_F(LogTest, TheEndDoesNotWaitForeverForAnOutputThatStandsStill) {
  patience_ = absl::Milliseconds(10);
  auto log = MakeLog();
  paper_->Block(true);
  for (int i = 0; i < 20; ++i) log->Write(LogLevel::kInfo, "line");
  paper_->AwaitBegun(1);
  log.reset();  // hangs if the rule is broken
}

TEST_F(LogTest, ManyThreadsWriteWholeLines) {
  auto log = MakeLog();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 500; ++j) log->Write(LogLevel::kInfo, "line", {{"n", int64_t{j}}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const uint64_t dropped = log->dropped();
  log.reset();
  uint64_t written = 0;
  uint64_t told = 0;
  for (const std::string& line : paper_->lines()) {
    const json parsed = json::parse(line);
    if (parsed.contains("dropped")) {
      told += parsed["dropped"].get<uint64_t>();
    } else {
      ++written;
    }
  }
  // The end itself may push one out.
  EXPECT_EQ(written + told, 2000u);
  EXPECT_THAT(told - dropped, testing::Le(1u));
}

TEST_F(LogTest, WhatIsSaidThroughSpdlogComesHere) {
  auto log = MakeLog(LogLevel::kInfo);
  log->TakeOverSpdlog();
  spdlog::debug("below");
  spdlog::info("of {} kinds\n", 2);
  spdlog::critical("grave");
  log.reset();
  spdlog::error("to nobody");
  ASSERT_EQ(paper_->lines().size(), 2u);
  const json first = json::parse(paper_->lines()[0]);
  EXPECT_EQ(first["message"], "of 2 kinds\n");
  EXPECT_EQ(first["level"], "info");
  EXPECT_EQ(json::parse(paper_->lines()[1])["level"], "error");
}

TEST_F(LogTest, ReopeningIsSaid) {
  auto log = MakeLog();
  EXPECT_TRUE(log->Reopen().ok());
  EXPECT_THAT(paper_->AwaitLines(1), ElementsAre("the log was reopened"));
}

}  // namespace
}  // namespace pcap_gateway
