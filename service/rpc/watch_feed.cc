#include "service/rpc/watch_feed.h"

#include <grpcpp/grpcpp.h>

#include <optional>
#include <utility>

#include "service/base/mutex.h"
#include "service/base/ticket.h"
#include "service/rpc/feed.h"
#include "service/rpc/reply.h"
#include "service/source/cancelled.h"
#include "service/watch/sightings.h"
#include "service/watch/watches.h"

namespace pcap_gateway {
namespace {

// The latest view. The loop's thread puts it in, the stream's takes it out.
class LatestView {
 public:
  // True: the one before was taken, or there was none, so that there is something to tell.
  bool Put(const View& view) {
    const Lock lock(mutex_);
    const bool is_news = view_ == nullptr;
    view_ = view;
    return is_news;
  }

  // Null: none has come since.
  View Take() {
    const Lock lock(mutex_);
    return std::exchange(view_, nullptr);
  }

 private:
  Mutex mutex_;
  View view_ ABSL_GUARDED_BY(mutex_);
};

Error NothingToAsk() {
  return Error(absl::StatusCode::kFailedPrecondition, Reason::kNotCached,
               "a watch asks Cloudflare, and the call said only-if-cached");
}

class WatchFeed final : public Feed {
 public:
  explicit WatchFeed(const FeedParts& parts)
      : outlet_(parts.outlet),
        watches_(*parts.watches),
        query_(parts.query),
        reader_(parts.query.resources) {}

  void Begin() override {
    if (query_.only_if_cached) return outlet_.Finish(FailedReply(NothingToAsk()));
    ticket_ = watches_.Follow(
        query_,
        [this](const View& view) {
          if (latest_.Put(view)) outlet_.Post([this] { Go(); });
        },
        [this](Reply reply) {
          outlet_.Post([this, reply = std::move(reply)]() mutable { Ended(std::move(reply)); });
        });
  }

  void Written() override { Go(); }

  void Leave() override {
    left_ = true;
    if (end_.has_value()) {
      Go();
    } else {
      ticket_.Cancel();
    }
  }

 private:
  // Writes the next capture, or ends when there is none any more.
  void Go() {
    if (finished_ || (outlet_.writing() && !left_)) return;
    if (const View view = latest_.Take()) reader_.Take(view);
    const bool has_failed = end_.has_value() && !end_->outcome->ok();
    OutcomePtr next = left_ || has_failed ? nullptr : reader_.Next();
    if (next != nullptr) {
      outlet_.Write(MessageBytes(next));
    } else if (end_.has_value()) {
      finished_ = true;
      outlet_.Finish(left_ ? CancelledReply() : *std::move(end_));
    }
  }

  void Ended(Reply reply) {
    end_ = std::move(reply);
    Go();
  }

  Outlet& outlet_;
  Watches& watches_;
  const Query query_;
  Reader reader_;
  LatestView latest_;
  Ticket ticket_;
  bool left_ = false;
  bool finished_ = false;
  std::optional<Reply> end_;  // once nothing more comes
};

}  // namespace

std::unique_ptr<Feed> MakeWatchFeed(const FeedParts& parts) {
  return std::make_unique<WatchFeed>(parts);
}

}  // namespace pcap_gateway
