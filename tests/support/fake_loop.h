// FakeLoop: a Loop whose tasks run when the test says so, by the test's clock.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_FAKE_LOOP_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_FAKE_LOOP_H_

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "service/loop/loop.h"
#include "tests/support/fake_clock.h"

namespace pcap_gateway {

// One thread's, but for Post.
class FakeLoop final : public Loop {
 public:
  explicit FakeLoop(FakeClock& clock) : clock_(clock) {}

  // So that what Ask does at once on the real loop's thread waits for the test's word.
  bool IsCurrent() const override { return false; }

  void Post(Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }

  Ticket After(absl::Duration delay, Task task) override {
    const auto when = std::pair(clock_.Now() + delay, next_++);
    due_.emplace(when, std::move(task));
    return Ticket([this, when] { due_.erase(when); });
  }

  // What was posted, and what that posts.
  void RunAll() {
    while (std::optional<Task> task = Next()) (*std::move(task))();
  }

  // Moves the clock on by `by`, from one due task to the next.
  void Advance(absl::Duration by) {
    const absl::Time end = clock_.Now() + by;
    while (!due_.empty() && due_.begin()->first.first <= end) {
      clock_.Advance(due_.begin()->first.first - clock_.Now());
      Task task = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      std::move(task)();
    }
    clock_.Advance(end - clock_.Now());
  }

  // Whether something is still to run later, and in how long.
  bool idle() const { return due_.empty(); }
  absl::Duration next_in() const { return due_.begin()->first.first - clock_.Now(); }

 private:
  std::optional<Task> Next() {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) return std::nullopt;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }

  FakeClock& clock_;
  std::mutex mutex_;  // guards `tasks_`
  std::deque<Task> tasks_;
  std::map<std::pair<absl::Time, uint64_t>, Task> due_;
  uint64_t next_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_FAKE_LOOP_H_
