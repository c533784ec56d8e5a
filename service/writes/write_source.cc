#include "service/writes/write_source.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/freshness/succession.h"
#include "service/loop/pending.h"
#include "service/source/cancelled.h"

namespace pcap_gateway {
namespace {

Reply LeftAlone() {
  return FailedReply(Error(absl::StatusCode::kUnknown, Reason::kOutcomeUnknown,
                           "the request was sent, and the call ended before its answer came: list "
                           "what there is before you try again"));
}

Reply OtherContent() {
  constexpr char kDescription[] =
      "was used within the last ten minutes for a request with another content";
  Error error(absl::StatusCode::kInvalidArgument, Reason::kInvalidRequest,
              absl::StrCat("request_id ", kDescription));
  error.metadata = {{"field", "request_id"}};
  error.field_violations = {{"request_id", kDescription}};
  return FailedReply(std::move(error));
}

// What is remembered under a name: the endpoint's number with the request_id, and whose it is.
std::pair<std::pair<Partition, Id>, std::string> NameOf(const Query& query) {
  return {{query.credential->partition(), query.account},
          absl::StrCat(query.endpoint->number, "\n", query.write_id)};
}

// What it is about, without keeping it: it may hold a bucket's secret.
std::array<uint8_t, 32> ContentOf(const Query& query) {
  return query.credential->Mac(absl::StrCat("pcap-gateway v1 write\n", query.resource.ToString(),
                                            "\n", query.body == nullptr ? "" : *query.body));
}

}  // namespace

struct WriteSource::Caller {
  Pending<Reply> pending;
  // That it waits for, and which those below keep; empty: none yet, or it has been answered.
  std::weak_ptr<Write> write;
};

struct WriteSource::Write {
  Query query;
  std::array<uint8_t, 32> content{};
  std::vector<CallerPtr> callers;
  Ticket ticket;
  // Once it has ended.
  std::optional<Reply> reply;
  absl::Time ended_at = absl::InfiniteFuture();

  bool is_sent() const { return query.requests_sent->load() > 0; }
};

WriteSource::WriteSource(std::unique_ptr<Source> inner, Loop& loop, const Clock& clock)
    : inner_(std::move(inner)), loop_(loop), clock_(clock) {}

WriteSource::~WriteSource() = default;

Ticket WriteSource::Ask(Query query, Done done) {
  if (query.endpoint->effect != Effect::kWritesOnce) {
    return inner_->Ask(std::move(query), std::move(done));
  }
  auto caller = std::make_shared<Caller>();
  caller->pending = Pending<Reply>(std::move(done));
  RunOn(loop_,
        [this, caller, query = std::move(query)]() mutable { Begin(caller, std::move(query)); });
  return Ticket([this, caller] { RunOn(loop_, [this, caller] { Leave(caller); }); });
}

void WriteSource::Begin(const CallerPtr& caller, Query query) {
  if (!caller->pending.open()) return;
  auto write = std::make_shared<Write>();
  if (query.requests_sent == nullptr) query.requests_sent = std::make_shared<std::atomic<int>>(0);
  write->query = std::move(query);
  const Query& asked = write->query;
  if (!asked.write_id.empty()) {
    write->content = ContentOf(asked);
    Forget(clock_.Now());
    const auto [known, is_new] = remembered_.try_emplace(NameOf(asked), write);
    if (!is_new && known->second->content != write->content) {
      return caller->pending.Finish(OtherContent());
    }
    if (!is_new) {
      stats_.repeated.Add();
      write = known->second;
      if (write->reply.has_value()) {
        Reply reply = *write->reply;
        reply.age = std::max(clock_.Now() - reply.outcome->as_of, absl::ZeroDuration());
        return caller->pending.Finish(std::move(reply));
      }
    }
    caller->write = write;
    write->callers.push_back(caller);
    if (!is_new) return;
  } else {
    caller->write = write;
    write->callers.push_back(caller);
  }
  Send(write);
}

void WriteSource::Send(const WritePtr& write) {
  Query query = write->query;
  // It ends by itself. While it has not been sent, its last caller's leaving ends it.
  query.deadline = absl::InfiniteFuture();
  Ticket ticket = inner_->Ask(std::move(query), [this, write](const Reply& reply) {
    RunOn(loop_, [this, write, reply] { Ended(write, reply); });
  });
  if (!write->reply.has_value()) write->ticket = std::move(ticket);
}

void WriteSource::Ended(const WritePtr& write, const Reply& reply) {
  write->ticket = Ticket();
  write->reply = reply;
  write->ended_at = clock_.Now();
  write->query.body = nullptr;  // it may hold secrets, and is not needed any more
  if (!MayHaveWritten(*reply.outcome)) Drop(*write);
  for (const CallerPtr& caller : std::exchange(write->callers, {})) {
    caller->write.reset();
    caller->pending.Finish(reply);
  }
}

void WriteSource::Leave(const CallerPtr& caller) {
  const WritePtr write = std::exchange(caller->write, {}).lock();
  if (write == nullptr) return caller->pending.Finish(CancelledReply());
  std::erase(write->callers, caller);
  const bool is_last = write->callers.empty();
  if (write->is_sent()) {
    if (is_last) stats_.abandoned.Add();
    return caller->pending.Finish(LeftAlone());
  }
  if (is_last) {
    Drop(*write);
    std::exchange(write->ticket, Ticket()).Cancel();
  }
  caller->pending.Finish(CancelledReply());
}

// From now on the same write is sent when somebody asks for it.
void WriteSource::Drop(const Write& write) {
  const auto found = remembered_.find(NameOf(write.query));
  if (found != remembered_.end() && found->second.get() == &write) remembered_.erase(found);
}

// What is over for long enough; and more, where there are too many.
void WriteSource::Forget(absl::Time now) {
  absl::erase_if(remembered_,
                 [&](const auto& entry) { return entry.second->ended_at + kRemembered <= now; });
  while (remembered_.size() >= kMostRemembered) {
    const auto first = std::min_element(
        remembered_.begin(), remembered_.end(),
        [](const auto& a, const auto& b) { return a.second->ended_at < b.second->ended_at; });
    if (first->second->ended_at == absl::InfiniteFuture()) return;
    remembered_.erase(first);
  }
}

}  // namespace pcap_gateway
