#include "client/watch_source.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "client/grpc_thread.h"
#include "pcap_client/pcap_id.h"

namespace pcap_client {
namespace {

using pcap::v1::Pcap;

// More than Cloudflare lists and than can be named. Beyond, a capture may be told of twice.
constexpr size_t kMostTold = 200;
// The gateway asks for no more; who does is not believed.
constexpr absl::Duration kLongestPause = absl::Minutes(5);
// Newer gRPCs hang on shorter ones; see retry_policy.h.
constexpr absl::Duration kShortestPause = absl::Milliseconds(3);

CallError Cancelled() {
  return {.code = absl::StatusCode::kCancelled, .message = "the caller cancelled"};
}

}  // namespace

void WatchSource::Pull(Next next) {
  {
    const pcap_gateway::Lock lock(mutex_);
    if (!outcome_.has_value()) next_ = std::exchange(next, nullptr);
  }
  if (next != nullptr) return std::move(next)(std::nullopt);
  PullInner(shared_from_this());
}

void WatchSource::PullInner(Self self) {
  std::shared_ptr<Inner> inner;
  std::optional<CallError> over;
  {
    const pcap_gateway::Lock lock(self->mutex_);
    const absl::Time now = absl::Now();
    if (self->inner_ != nullptr) {
      // The call that there is has more.
    } else if (self->cancelled_) {
      over = Cancelled();
    } else if (now >= self->deadline_) {
      over = {.code = absl::StatusCode::kDeadlineExceeded, .message = "the time is over"};
    } else {
      self->connected_ = now;
      self->inner_ = self->connect_(self->deadline_ - now);
    }
    inner = self->inner_;
  }
  if (over.has_value()) return End(std::move(self), *std::move(over));
  auto& from = *inner;
  from.Pull(
      [self = std::move(self), inner = std::move(inner)](std::optional<Message> message) mutable {
        if (message.has_value()) return Take(std::move(self), *std::move(message));
        TakeEnd(std::move(self), std::move(inner));
      });
}

void WatchSource::Take(Self self, Message message) {
  bool is_news = false;
  {
    const pcap_gateway::Lock lock(self->mutex_);
    self->began_ = true;
    // One that breaks at once, again and again, is not asked more often for its messages.
    if (absl::Now() - self->connected_ >= self->retry_.max_backoff) self->failures_ = 0;
    is_news = self->IsNews(message.pcap());
  }
  if (!is_news) return PullInner(std::move(self));
  Next next = self->TakeNext();
  std::move(next)(std::move(message));
}

void WatchSource::TakeEnd(Self self, std::shared_ptr<Inner> ended) {
  CallResult<AnswerInfo> outcome = std::exchange(ended, nullptr)->Outcome();
  std::optional<absl::Duration> pause;
  {
    const pcap_gateway::Lock lock(self->mutex_);
    self->inner_.reset();
    ++self->failures_;
    if (!outcome.ok() && self->cancelled_) {
      // It may have broken just before.
      outcome = Cancelled();
    } else if (!outcome.ok() && self->MayConnectAnew(outcome.error())) {
      pause = self->Pause(outcome.error());
    }
  }
  if (!pause.has_value()) return End(std::move(self), std::move(outcome));
  ConnectLater(std::move(self), *pause);
}

void WatchSource::End(Self self, CallResult<AnswerInfo> outcome) {
  {
    const pcap_gateway::Lock lock(self->mutex_);
    self->outcome_ = std::move(outcome);
  }
  Next next = self->TakeNext();
  self.reset();
  std::move(next)(std::nullopt);
}

void WatchSource::ConnectLater(Self self, absl::Duration pause) {
  auto& here = *self;
  const absl::Time when = std::min(absl::Now() + pause, here.deadline_);
  const pcap_gateway::Lock lock(here.mutex_);
  here.alarm_ = std::make_unique<grpc::Alarm>();
  here.alarm_->Set(std::chrono::system_clock::time_point(absl::ToChronoTime(when)),
                   // The alarm keeps this function, and its owner keeps the alarm.
                   [self](bool /*in_time*/) mutable {
                     const GrpcThread grpcs;
                     PullInner(std::exchange(self, nullptr));
                   });
  if (here.cancelled_) here.alarm_->Cancel();
}

void WatchSource::Cancel() {
  std::shared_ptr<Inner> inner;
  {
    const pcap_gateway::Lock lock(mutex_);
    cancelled_ = true;
    inner = inner_;
    if (alarm_ != nullptr) alarm_->Cancel();
  }
  if (inner != nullptr) inner->Cancel();
}

CallResult<AnswerInfo> WatchSource::Outcome() const {
  const pcap_gateway::Lock lock(mutex_);
  if (outcome_.has_value()) return *outcome_;
  return CallError{.message = "the call has not ended"};
}

bool WatchSource::IsNews(const Pcap& pcap) {
  std::string id = IdOf(pcap);
  const auto told =
      std::find_if(told_.begin(), told_.end(), [&](const auto& one) { return one.first == id; });
  if (told != told_.end()) {
    if (google::protobuf::util::MessageDifferencer::Equals(told->second, pcap)) return false;
    told_.erase(told);
  }
  told_.emplace_back(std::move(id), pcap);
  if (told_.size() > kMostTold) told_.pop_front();
  return true;
}

bool WatchSource::MayConnectAnew(const CallError& error) const {
  if (retry_.max_attempts == 1) return false;
  // A wrong name or port does not mend itself; what was reached once comes back.
  if (!began_ && failures_ >= retry_.max_attempts) return false;
  return error.code == absl::StatusCode::kUnavailable ||
         (error.code == absl::StatusCode::kResourceExhausted && error.retry_after.has_value());
}

absl::Duration WatchSource::Pause(const CallError& error) {
  absl::Duration pause = retry_.initial_backoff;
  for (int i = 1; i < failures_ && pause < retry_.max_backoff; ++i) {
    pause *= retry_.backoff_multiplier;
  }
  // So that watchers who lost one replica together do not return together.
  pause = std::min(pause, retry_.max_backoff) *
          std::uniform_real_distribution<double>(0.8, 1.2)(random_);
  pause = std::max(pause, error.retry_after.value_or(kShortestPause));
  return std::clamp(pause, kShortestPause, kLongestPause);
}

WatchSource::Next WatchSource::TakeNext() {
  const pcap_gateway::Lock lock(mutex_);
  return std::exchange(next_, nullptr);
}

}  // namespace pcap_client
