// FakeSource: a Source whose pending questions the test holds, and lets go when it likes.
//
//   FakeSource upstream(clock);
//   Ticket ticket = upstream.Ask(query, done);
//   upstream.Answer(0, "message");         // `done` runs here
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_FAKE_SOURCE_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_FAKE_SOURCE_H_

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/base/clock.h"
#include "service/source/source.h"

namespace pcap_gateway {

inline OutcomePtr MakeOutcome(absl::Time as_of, std::string message, Stage stage) {
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = as_of;
  outcome->message = std::move(message);
  outcome->stage = stage;
  outcome->http_status = 200;
  return outcome;
}

inline OutcomePtr MakeFailure(absl::Time as_of, Error error, int http_status) {
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = as_of;
  outcome->error = std::make_unique<const Error>(std::move(error));
  outcome->http_status = http_status;
  return outcome;
}

// Thread-safe. Questions are numbered from 0 in the order in which they came.
class FakeSource final : public Source {
 public:
  explicit FakeSource(const Clock& clock) : clock_(clock) {}

  std::optional<Reply> AtHand(const Query&) override { return std::nullopt; }

  Ticket Ask(Query query, Done done) override {
    const std::lock_guard lock(mutex_);
    const size_t number = questions_.size();
    questions_.push_back({std::move(query), std::move(done), clock_.Now(), false});
    came_.notify_all();
    return Ticket([this, number] {
      {
        const std::lock_guard lock(mutex_);
        questions_[number].cancelled = true;
      }
      const Error error(absl::StatusCode::kCancelled, Reason::kCancelled, "cancelled");
      Finish(number, {.outcome = MakeFailure(clock_.Now(), error, 0)});
    });
  }

  void Answer(size_t number, std::string message, Stage stage = Stage::kFinal) {
    Finish(number, {.outcome = MakeOutcome(asked_at(number), std::move(message), stage)});
  }

  void AnswerWith(size_t number, Reply reply) { Finish(number, std::move(reply)); }

  void Fail(size_t number, absl::StatusCode code, Reason reason, int http_status,
            Denies denies = Denies::kNothing) {
    Error error(code, reason, "failed");
    error.denies = denies;
    Finish(number, {.outcome = MakeFailure(asked_at(number), std::move(error), http_status)});
  }

  // As those below the caches do with what nobody waits for any more.
  void GiveUp(size_t number) { Fail(number, absl::StatusCode::kCancelled, Reason::kCancelled, 0); }

  // False: so many questions did not come within the patience of a test.
  [[nodiscard]] bool AwaitAsked(size_t count) {
    std::unique_lock lock(mutex_);
    return came_.wait_for(lock, std::chrono::seconds(20),
                          [&] { return questions_.size() >= count; });
  }

  size_t asked() const {
    const std::lock_guard lock(mutex_);
    return questions_.size();
  }
  bool cancelled(size_t number) const {
    const std::lock_guard lock(mutex_);
    return questions_[number].cancelled;
  }
  Query query(size_t number) const {
    const std::lock_guard lock(mutex_);
    return questions_[number].query;
  }

 private:
  struct Question {
    Query query;
    Done done;  // empty once answered
    absl::Time asked_at;
    bool cancelled;
  };

  absl::Time asked_at(size_t number) const {
    const std::lock_guard lock(mutex_);
    return questions_[number].asked_at;
  }

  void Finish(size_t number, Reply reply) {
    Done done;
    {
      const std::lock_guard lock(mutex_);
      done = std::exchange(questions_[number].done, nullptr);
    }
    if (done) std::move(done)(std::move(reply));
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Question> questions_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_FAKE_SOURCE_H_
