#include "tests/history/ruled_upstream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

std::string SecondsUntil(absl::Time then, absl::Time now) {
  return absl::StrCat(absl::ToInt64Seconds(absl::Ceil(then - now, absl::Seconds(1))));
}

}  // namespace

Ticket RuledUpstream::Send(HttpRequest request, Done done) {
  loop_.After(Way(), [this, request = std::move(request), done = std::move(done)]() mutable {
    HttpAnswer answer = AnswerTo(request);
    loop_.After(Way(), [answer = std::move(answer), done = std::move(done)]() mutable {
      std::move(done)(std::move(answer));
    });
  });
  return {};  // nobody here changes their mind
}

HttpAnswer RuledUpstream::AnswerTo(const HttpRequest& request) {
  const absl::Time now = clock_.Now();
  ++requests_;
  latest_.push_back(now);
  while (latest_.front() <= now - kWindow) latest_.pop_front();
  const auto in_five_minutes = static_cast<int64_t>(latest_.size());
  most_ = std::max(most_, in_five_minutes);
  if (now >= window_began_ + kWindow) {
    window_began_ = now;
    in_window_ = 0;
  }
  ++in_window_;
  if (in_five_minutes > kLimit && now >= blocked_until_) {
    blocked_until_ = now + kBlock;
    ++blocks_;
  }
  HttpAnswer answer;
  if (tells_) {
    answer.ratelimit = absl::StrCat(R"("default";r=)", std::max<int64_t>(kLimit - in_window_, 0),
                                    ";t=", SecondsUntil(window_began_ + kWindow, now));
    answer.ratelimit_policy = R"("default";q=1200;w=300)";
  }
  if (now < blocked_until_) {
    answer.status = 429;
    answer.retry_after = SecondsUntil(blocked_until_, now);
  } else {
    answer.status = 200;
    answer.body = request.url;
  }
  return answer;
}

absl::Duration RuledUpstream::Way() {
  return absl::Milliseconds(std::uniform_int_distribution<int>(5, 150)(random_));
}

}  // namespace pcap_gateway
