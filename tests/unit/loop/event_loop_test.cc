#include "service/loop/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <thread>
#include <vector>

#include "service/base/burst.h"
#include "tests/support/event.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;

class EventLoopTest : public testing::Test {
 protected:
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Start();
};

TEST_F(EventLoopTest, RunsWhatIsPostedInItsOrderOnItsThread) {
  std::vector<int> ran;
  for (int i = 0; i < 3; ++i) {
    loop_->Post([&, i] {
      EXPECT_TRUE(loop_->IsCurrent());
      ran.push_back(i);
    });
  }
  loop_->Run([] {});
  EXPECT_THAT(ran, ElementsAre(0, 1, 2));
  EXPECT_FALSE(loop_->IsCurrent());
}

TEST_F(EventLoopTest, OnItsThreadATaskRunsAtOnceAndElsewhereItIsHandedIn) {
  std::vector<int> ran;
  loop_->Run([&] {
    loop_->Post([&] { ran.push_back(2); });
    RunOn(*loop_, [&] { ran.push_back(1); });
  });
  EXPECT_THAT(ran, ElementsAre(1, 2));
  const uint64_t handed_in = loop_->stats().handed_in.Value();
  Event ran_too;
  RunOn(*loop_, [&] {
    EXPECT_TRUE(loop_->IsCurrent());
    ran_too.Happen();
  });
  EXPECT_TRUE(ran_too.Await());
  EXPECT_EQ(loop_->stats().handed_in.Value(), handed_in + 1);
}

TEST_F(EventLoopTest, WhatTheLoopPostsToItselfRunsWithoutAWake) {
  Event last;
  int left = 100;
  std::function<void()> next = [&] {
    if (--left == 0) return last.Happen();
    loop_->Post([&] { next(); });
  };
  loop_->Post([&] { next(); });
  EXPECT_TRUE(last.Await());
  EXPECT_EQ(loop_->stats().wakes.Value(), 1u);
  EXPECT_EQ(loop_->stats().handed_in.Value(), 1u);
}

TEST_F(EventLoopTest, RunReturnsAfterWhatItsTurnPutsOff) {
  bool over = false;
  loop_->Run([&] { Burst::AtEnd([&] { over = true; }); });
  EXPECT_TRUE(over);
}

TEST_F(EventLoopTest, LaterTasksRunByTheirTimesUnlessTheyAreCancelled) {
  std::vector<int> ran;
  Event last;
  loop_->Post([&] {
    loop_->After(absl::Milliseconds(20), [&] {
      ran.push_back(20);
      last.Happen();
    });
    Ticket ticket = loop_->After(absl::Milliseconds(10), [&] { ran.push_back(10); });
    loop_->After(absl::Milliseconds(5), [&] { ran.push_back(5); });
    ticket.Cancel();
  });
  EXPECT_TRUE(last.Await());
  EXPECT_THAT(ran, ElementsAre(5, 20));
}

TEST_F(EventLoopTest, ATimerRingsOnceForTheTimeThatWasSetLast) {
  int rang = 0;
  Event after;
  std::optional<LoopTimer> timer;
  loop_->Run([&] {
    timer.emplace(*loop_, [&] { ++rang; });
    const EventLoop::Time now = std::chrono::steady_clock::now();
    timer->Set(now + std::chrono::hours(1));
    timer->Set(now);
    EXPECT_TRUE(timer->is_set());
  });
  EXPECT_EQ(rang, 1);
  loop_->Run([&] {
    timer->Set(std::chrono::steady_clock::now() + std::chrono::milliseconds(5));
    timer->Clear();
    loop_->After(absl::Milliseconds(20), [&] { after.Happen(); });
  });
  EXPECT_TRUE(after.Await());
  EXPECT_EQ(rang, 1);
  loop_->Run([&] { timer.reset(); });
}

TEST_F(EventLoopTest, StoppingRunsAllThatWaitsAndWhatThatPosts) {
  int ran = 0;
  std::optional<LoopTimer> timer;
  loop_->Post([&] {
    timer.emplace(*loop_, [&] { ADD_FAILURE() << "rang"; });
    timer->Set(std::chrono::steady_clock::now() + std::chrono::hours(1));
    loop_->After(absl::Hours(1), [&] {
      loop_->Post([&] {
        ++ran;
        loop_->After(absl::Hours(1), [&] { ++ran; });
      });
    });
  });
  loop_->Stop();
  EXPECT_EQ(ran, 2);
  loop_->Post([&] { ++ran; });
  loop_->Run([&] { ++ran; });
  EXPECT_EQ(ran, 4);
  timer.reset();
}

TEST_F(EventLoopTest, NothingThatIsPostedWhileItStopsIsLost) {
  std::atomic<int> ran = 0;
  std::thread other([&] {
    for (int i = 0; i < 10'000; ++i) loop_->Post([&] { ++ran; });
  });
  loop_->Stop();
  other.join();
  EXPECT_EQ(ran, 10'000);
}

// Whoever posted may not have returned by then.
TEST(EventLoopEndTest, ALoopMayEndAsSoonAsWhatWasPostedHasRun) {
  for (int i = 0; i < 300; ++i) {
    auto loop = *EventLoop::Start();
    Event ran;
    std::thread poster([&ran, &loop = *loop] { loop.Post([&ran] { ran.Happen(); }); });
    loop->Post([] {});  // so that it is awake, perhaps
    EXPECT_TRUE(ran.Await());
    loop.reset();
    poster.join();
  }
}

// Two ends of a connection, one of them on the loop.
class Connection final : private SocketWatcher {
 public:
  explicit Connection(EventLoop& loop) : loop_(loop) {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends_.data()), 0);
    loop_.sockets().Opened(ends_[0]);
  }
  ~Connection() {
    if (ends_[0] >= 0) Close();
    close(ends_[1]);
  }

  void Watch(int wanted) { loop_.sockets().Watch(ends_[0], wanted, this); }
  void Close() {
    loop_.sockets().Closed(ends_[0]);
    close(ends_[0]);
    ends_[0] = -1;
  }
  void Speak() const { EXPECT_EQ(write(ends_[1], "x", 1), 1); }

  std::function<void(int what)> ready;

 private:
  void Ready(int, int what) override {
    char byte;
    (void)!read(ends_[0], &byte, 1);
    ready(what);
  }

  EventLoop& loop_;
  std::array<int, 2> ends_{};
};

TEST_F(EventLoopTest, TellsWhenASocketIsReady) {
  std::optional<Connection> connection;
  Event heard;
  loop_->Run([&] {
    connection.emplace(*loop_);
    connection->ready = [&](int what) {
      EXPECT_EQ(what, SocketWatcher::kReadable);
      heard.Happen();
    };
    connection->Watch(SocketWatcher::kReadable);
    connection->Speak();
  });
  EXPECT_TRUE(heard.Await());
  Event writable;
  loop_->Run([&] {
    connection->ready = [&](int what) {
      EXPECT_EQ(what, SocketWatcher::kWritable);
      connection->Watch(0);
      writable.Happen();
    };
    connection->Watch(SocketWatcher::kWritable);
  });
  EXPECT_TRUE(writable.Await());
  loop_->Run([&] { connection.reset(); });
}

// Of two that are ready in one turn, the first to hear of it closes the other, whose number a new
// socket gets.
TEST_F(EventLoopTest, WhatWasReadyAndIsClosedIsNotToldToTheNextOfItsNumber) {
  std::optional<Connection> one, other, next;
  int told = 0;
  Event over;
  loop_->Run([&] {
    one.emplace(*loop_);
    other.emplace(*loop_);
    const auto replace = [&](std::optional<Connection>& gone) {
      ++told;
      gone->Close();
      next.emplace(*loop_);
      next->ready = [&](int) { ADD_FAILURE() << "nothing was said to it"; };
      next->Watch(SocketWatcher::kReadable);
      loop_->Post([&] { loop_->Post([&] { over.Happen(); }); });
    };
    one->ready = [&, replace](int) { replace(other); };
    other->ready = [&, replace](int) { replace(one); };
    one->Watch(SocketWatcher::kReadable);
    other->Watch(SocketWatcher::kReadable);
    one->Speak();
    other->Speak();
  });
  EXPECT_TRUE(over.Await());
  EXPECT_EQ(told, 1);
  loop_->Run([&] {
    one.reset();
    other.reset();
    next.reset();
  });
}

}  // namespace
}  // namespace pcap_gateway
