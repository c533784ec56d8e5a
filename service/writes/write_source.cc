#include "service/writes/write_source.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/freshness/succession.h"
#include "service/loop/pending.h"
#include "service/source/cancelled.h"

namespace pcap_gateway {
namespace {

using Kind = WriteMemory::Known::Kind;

// How often is asked again how another replica's write has ended.
constexpr absl::Duration kFirstPause = absl::Milliseconds(10);
constexpr absl::Duration kLongestPause = absl::Milliseconds(100);
// So often in a row the memory may be without a word: some seconds. Counted and not timed, as a
// loop that stops lets no time pass.
constexpr int kMostUnheard = 100;
// A memory that is there and late is asked again before a write goes out that it may know.
constexpr int kMostLate = 20;
// For as long as it is remembered: each kWriteKeepEvery of kWriteRemembered.
constexpr int kMostTold = 200;

constexpr absl::Duration kBetweenLines = absl::Seconds(10);

Reply UnknownOutcome(absl::string_view message) {
  return FailedReply(Error(absl::StatusCode::kUnknown, Reason::kOutcomeUnknown,
                           absl::StrCat(message, ": list what there is before you try again")));
}

Reply LeftAlone() {
  return UnknownOutcome("the request was sent, and the call ended before its answer came");
}

Reply LostReply() {
  return UnknownOutcome(
      "the gateway that took the request of this request_id is gone, and did not tell how it "
      "ended");
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
  NamedWrite named;  // empty where it has no name
  std::vector<CallerPtr> callers;
  Ticket ticket;
  // What is to be done later about the shared memory.
  Ticket later;
  bool is_claimed = false;  // there, for us
  bool is_others = false;   // another replica sends it
  absl::Duration pause = kFirstPause;
  int unheard = 0;  // words of the memory's that did not come, in a row
  int told = 0;     // attempts to tell it the end
  // Once it has ended.
  std::optional<Reply> reply;
  absl::Time ended_at = absl::InfiniteFuture();

  // Or may have been, by another replica.
  bool is_sent() const { return is_others || query.requests_sent->load() > 0; }
};

WriteSource::WriteSource(std::unique_ptr<Source> inner, Loop& loop, const Clock& clock,
                         WriteOptions options)
    : inner_(std::move(inner)), loop_(loop), clock_(clock), options_(std::move(options)) {}

WriteSource::~WriteSource() = default;

Ticket WriteSource::Ask(Query query, Done done) {
  if (query.endpoint->effect == Effect::kReads) {
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
    write->named = {.credential = asked.credential,
                    .account = asked.account,
                    .endpoint = asked.endpoint->number,
                    .name = asked.write_id,
                    .content = ContentOf(asked)};
    Forget(clock_.Now());
    const auto [known, is_new] = remembered_.try_emplace(NameOf(asked), write);
    if (!is_new && known->second->named.content != write->named.content) {
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
    if (options_.memory != nullptr) return Claim(write);
  } else {
    caller->write = write;
    write->callers.push_back(caller);
  }
  Send(write);
}

void WriteSource::Claim(const WritePtr& write) {
  options_.memory->Claim(write->named, [this, write](const WriteMemory::Known& known) {
    RunOn(loop_, [this, write, known] { Heard(write, known); });
  });
}

// What the memory knows of a write that was not sent here.
void WriteSource::Heard(const WritePtr& write, const WriteMemory::Known& known) {
  const bool is_unheard = known.kind == Kind::kLate || known.kind == Kind::kAway;
  write->unheard = is_unheard ? write->unheard + 1 : 0;
  if (write->callers.empty()) {
    // All have left, and it is another one's turn.
    if (known.kind == Kind::kOurs && IsLatest(write)) {
      options_.memory->End(write->named, nullptr, [](bool) {});
    }
    return;
  }
  switch (known.kind) {
    case Kind::kOurs:
      write->is_claimed = true;
      write->is_others = false;
      Send(write);
      return KeepLater(write);
    case Kind::kOthers:
      if (!std::exchange(write->is_others, true)) stats_.awaited.Add();
      return Await(write);
    case Kind::kFree:
      write->is_others = false;
      return Claim(write);
    case Kind::kEnded:
      stats_.repeated.Add();
      Settle(write, {.outcome = known.outcome,
                     .cache_status = {.how = CacheStatus::How::kBypass},
                     .age = std::max(clock_.Now() - known.outcome->as_of, absl::ZeroDuration())});
      write->ended_at = known.outcome->as_of;  // as the others have it
      return;
    case Kind::kOtherContent:
      return Settle(write, OtherContent());
    case Kind::kLost:
      stats_.lost.Add();
      return Settle(write, LostReply());
    case Kind::kLate:
    case Kind::kAway:
      break;
  }
  if (write->is_others && write->unheard < kMostUnheard) return Await(write);
  if (write->is_others) {
    stats_.lost.Add();
    return Settle(write, LostReply());
  }
  if (known.kind == Kind::kAway || write->unheard >= kMostLate) return SendAlone(write);
  write->later = loop_.After(kFirstPause, [this, write] { Claim(write); });
}

void WriteSource::Await(const WritePtr& write) {
  write->later = loop_.After(write->pause, [this, write] {
    options_.memory->Look(write->named, [this, write](const WriteMemory::Known& known) {
      RunOn(loop_, [this, write, known] { Heard(write, known); });
    });
  });
  write->pause = std::min(2 * write->pause, kLongestPause);
}

void WriteSource::SendAlone(const WritePtr& write) {
  stats_.alone.Add();
  const absl::Time now = clock_.Now();
  if (options_.log && now >= log_from_) {
    log_from_ = now + kBetweenLines;
    options_.log(
        "Redis cannot be asked about a write's request_id: this replica alone knows it, and "
        "another "
        "one would send it again");
  }
  Send(write);
}

void WriteSource::KeepLater(const WritePtr& write) {
  if (write->reply.has_value()) return;
  write->later = loop_.After(kWriteKeepEvery, [this, write] {
    options_.memory->Keep(write->named);
    KeepLater(write);
  });
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
  std::exchange(write->later, Ticket()).Cancel();
  if (write->named.name.empty() || options_.memory == nullptr) return Settle(write, reply);
  // Whoever asks another replica afterwards is to hear of it there.
  write->reply = reply;
  Tell(write, reply);
}

void WriteSource::Tell(const WritePtr& write, const Reply& reply) {
  const bool is_of_use = MayHaveWritten(*reply.outcome) || write->query.requests_sent->load() > 0;
  const bool is_to_tell = (is_of_use || write->is_claimed) && IsLatest(write);
  if (!is_to_tell) return Settle(write, reply);
  const bool is_first = ++write->told == 1;
  options_.memory->End(
      write->named, is_of_use ? reply.outcome : nullptr, [this, write, reply, is_first](bool took) {
        RunOn(loop_, [this, write, reply, is_first, took] {
          if (is_first) Settle(write, reply);
          if (took || write->told >= kMostTold) return;
          write->later = loop_.After(kWriteKeepEvery, [this, write, reply] { Tell(write, reply); });
        });
      });
}

// It has ended, so that callers hear of it.
void WriteSource::Settle(const WritePtr& write, const Reply& reply) {
  write->reply = reply;
  write->ended_at = clock_.Now();
  write->query.body = nullptr;  // it may hold secrets, and is not needed any more
  if (!MayHaveWritten(*reply.outcome)) Drop(*write);
  if (MayOutdate(*reply.outcome, write->query.requests_sent->load())) TellOf(*write);
  for (const CallerPtr& caller : std::exchange(write->callers, {})) {
    caller->write.reset();
    caller->pending.Finish(reply);
  }
}

void WriteSource::TellOf(const Write& write) const {
  if (options_.written) options_.written(write.query);
}

void WriteSource::Leave(const CallerPtr& caller) {
  const WritePtr write = std::exchange(caller->write, {}).lock();
  if (write == nullptr) return caller->pending.Finish(CancelledReply());
  std::erase(write->callers, caller);
  const bool is_last = write->callers.empty();
  const bool is_sent = write->is_sent();
  if (is_last && (write->is_others || !is_sent)) {
    // What another replica sends goes on there, and nobody here hears of its end.
    if (is_sent) TellOf(*write);
    Drop(*write);
    std::exchange(write->later, Ticket()).Cancel();
    std::exchange(write->ticket, Ticket()).Cancel();
  } else if (is_last) {
    stats_.abandoned.Add();
  }
  const bool is_unknown = is_sent && write->query.endpoint->effect == Effect::kWritesOnce;
  caller->pending.Finish(is_unknown ? LeftAlone() : CancelledReply());
}

// Whether nobody has begun the same again.
bool WriteSource::IsLatest(const WritePtr& write) const {
  const auto found = remembered_.find(NameOf(write->query));
  return found == remembered_.end() || found->second == write;
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
