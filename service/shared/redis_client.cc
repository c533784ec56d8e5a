#include "service/shared/redis_client.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/shared/redis_connection.h"

namespace pcap_gateway {
namespace {

using Time = EventLoop::Time;

// Of a command that has not been written yet, or is not to fail.
constexpr Time kNever = Time::max();

Time In(absl::Duration delay) {
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(delay);
}

// PINGs in a row that have to be answered in time before Redis is up, and how many a connection has
// for that: this thread may have been the one that was late.
constexpr int kPromptPings = 3;
constexpr int kMostPings = 10;

// Of the last commands it is known which came late.
constexpr int kRemembered = 32;

// So many commands without going down, and earlier lateness is forgiven.
constexpr int kForgivenAfter = 1000;

constexpr absl::string_view kNoAnswer = "it does not answer";
// A Redis without TLS takes the first bytes of a handshake for half a command, and waits.
constexpr absl::string_view kNoHandshake =
    "it does not answer to TLS; does it want redis:// instead of rediss://?";

}  // namespace

// The loop's thread only.
class RedisClient::Impl final : private RedisConnection::Owner {
 public:
  Impl(EventLoop& loop, RedisOptions options, RedisStats& stats)
      : options_(std::move(options)),
        stats_(stats),
        connection_(loop, *this, options_.url, options_.tls_files),
        command_timer_(loop, [this] { HandleTimeouts(); }),
        connect_timer_(loop, [this] { IsTimeToConnect(); }),
        greeting_(*this, &Impl::Greeted),
        ping_(*this, &Impl::Ponged) {}

  void Connect();
  void Stop();
  void Send(const std::vector<absl::string_view>& arguments, Done done);

 private:
  // A command that was issued. Belongs to itself, until its reply comes or never will.
  struct Command final : RedisConnection::Receiver {
    Command(Impl& client, absl::string_view name, Done done)
        : client(client), name(name), done(std::move(done)) {}

    void Replied(std::optional<RedisReply> reply) override {
      const std::unique_ptr<Command> self(this);
      client.HandleReply(*this, std::move(reply));
    }

    Impl& client;
    const std::string name;  // GET, EVAL
    Done done;               // empty: it has timed out
    Time due = kNever;
  };
  // Of those with which a new connection begins.
  class Greeting final : public RedisConnection::Receiver {
   public:
    using Handler = void (Impl::*)(const std::optional<RedisReply>&);
    Greeting(Impl& client, Handler handler) : client_(client), handler_(handler) {}
    void Replied(std::optional<RedisReply> reply) override { (client_.*handler_)(reply); }

   private:
    Impl& client_;
    const Handler handler_;
  };
  enum class State { kDown, kConnecting, kUp };

  void StartConnecting();
  void IsTimeToConnect();
  void AddressFound() override { StartConnecting(); }
  void Connected() override;
  void Leaving() override;
  void Lost(absl::string_view why) override;

  void Greet(const std::vector<absl::string_view>& arguments, Greeting& receiver);
  void Greeted(const std::optional<RedisReply>& reply);
  void Ping();
  void Ponged(const std::optional<RedisReply>& reply);
  void ComeUp();
  void GoDown(absl::string_view why);
  void GoDownForLonger(absl::string_view why);

  void HandleReply(Command& command, std::optional<RedisReply> reply);
  bool IsRefusal(absl::string_view error, bool greets);
  void HandleTimeouts();
  void Answered(bool in_time);
  std::string Lateness() const;

  const RedisOptions options_;
  RedisStats& stats_;

  RedisConnection connection_;
  LoopTimer command_timer_;  // for the oldest command, or the PING
  LoopTimer connect_timer_;  // while connecting: to give up; while down: to try again

  State state_ = State::kDown;
  bool stopping_ = false;
  std::string told_;                // what was logged last
  std::deque<Command*> in_flight_;  // neither replied to nor timed out; the oldest first
  // Of the connection under way: what was sent and not yet answered, PINGs sent, whether the last
  // of them is late, and how many before it were not.
  Greeting greeting_;
  Greeting ping_;
  std::deque<std::string> greetings_;
  int pings_ = 0;
  bool pings_now_ = false;  // it leaves at the end of this turn
  bool ping_is_late_ = false;
  int prompt_pings_ = 0;
  // Since Redis came up: commands over, and those of the last that were late, a bit each.
  int commands_ = 0;
  uint32_t late_ = 0;
  int timeouts_in_a_row_ = 0;
  bool replied_late_ = false;  // to any of those
  absl::Duration pause_;       // before the next try, if it is late
};

// Up and down -----------------------------------------------------------------------------------

void RedisClient::Impl::Stop() {
  stopping_ = true;
  GoDown("the gateway is shutting down");
}

void RedisClient::Impl::Connect() {
  if (stopping_) return;
  StartConnecting();
  connection_.Open();
}

void RedisClient::Impl::StartConnecting() {
  state_ = State::kConnecting;
  command_timer_.Clear();
  connect_timer_.Set(In(options_.connect_timeout));
}

void RedisClient::Impl::IsTimeToConnect() {
  if (state_ != State::kConnecting) return Connect();
  Lost(connection_.shakes_hands() ? kNoHandshake : kNoAnswer);
}

// Logs in, and sees whether it is a Redis at all, and one that will do.
void RedisClient::Impl::Connected() {
  greetings_.clear();
  pings_ = prompt_pings_ = 0;
  const RedisUrl& url = options_.url;
  if (!url.user.empty()) {
    Greet({"AUTH", url.user, url.password}, greeting_);
  } else if (!url.password.empty()) {
    Greet({"AUTH", url.password}, greeting_);
  }
  if (url.database != 0) Greet({"SELECT", absl::StrCat(url.database)}, greeting_);
  for (const auto& command : options_.rehearsal) {
    Greet({command.begin(), command.end()}, greeting_);
  }
  Ping();
}

void RedisClient::Impl::Greet(const std::vector<absl::string_view>& arguments, Greeting& receiver) {
  if (connection_.Issue(arguments, receiver)) greetings_.emplace_back(arguments.front());
}

void RedisClient::Impl::Greeted(const std::optional<RedisReply>& reply) {
  if (!reply.has_value() || state_ != State::kConnecting) return;  // lost, or given up before
  const std::string command = std::move(greetings_.front());
  greetings_.pop_front();  // replies come in the order of the commands
  if (reply->kind != RedisReply::Kind::kError) return;
  if (IsRefusal(reply->text, /*greets=*/true)) GoDown(TellRedisRefusal(reply->text, command));
}

void RedisClient::Impl::Ping() {
  ++pings_;
  pings_now_ = true;
  ping_is_late_ = false;
  Greet({"PING"}, ping_);
}

void RedisClient::Impl::Ponged(const std::optional<RedisReply>& reply) {
  Greeted(reply);
  if (!reply.has_value() || state_ != State::kConnecting) return;
  prompt_pings_ = ping_is_late_ ? 0 : prompt_pings_ + 1;
  if (prompt_pings_ == kPromptPings) return ComeUp();
  if (pings_ == kMostPings) {
    return GoDownForLonger("it answers too late: PINGs took longer than --redis-timeout");
  }
  Ping();
}

void RedisClient::Impl::ComeUp() {
  state_ = State::kUp;
  connection_.KeepAddress();
  connect_timer_.Clear();
  command_timer_.Clear();
  commands_ = timeouts_in_a_row_ = 0;
  late_ = 0;
  replied_late_ = false;
  stats_.up = true;
  told_.clear();
  if (options_.log) options_.log(true, "Redis is up");
}

// Each time, it is left alone for twice as long.
void RedisClient::Impl::GoDownForLonger(absl::string_view why) {
  const absl::Duration pause = std::max(pause_, options_.reconnect_after);
  GoDown(why);
  pause_ = std::min(2 * pause, std::max(options_.longest_reconnect_after, pause));
  if (!stopping_) connect_timer_.Set(In(pause));
}

void RedisClient::Impl::Lost(absl::string_view why) {
  if (!stopping_) stats_.connections.Add();
  // One of a name's addresses may have no Redis: localhost's is often IPv6's first.
  if (state_ == State::kConnecting && connection_.TryNextAddress()) return;
  GoDown(why);
}

// Commands fail from now on, those in flight among them, until there is a new connection.
void RedisClient::Impl::GoDown(absl::string_view why) {
  state_ = State::kDown;
  stats_.up = false;
  command_timer_.Clear();
  connect_timer_.Clear();
  if (stopping_) return connection_.Stop();
  connection_.Close();
  // Once for each reason, whatever its figures: it is tried again each second.
  const absl::string_view reason = why.substr(0, why.find(':'));
  if (options_.log && told_ != reason) {
    told_ = std::string(reason);
    options_.log(false, absl::StrCat("Redis is down: ", why, "; calls go on without it"));
  }
  connect_timer_.Set(In(options_.reconnect_after));
}

// Commands --------------------------------------------------------------------------------------

void RedisClient::Impl::Send(const std::vector<absl::string_view>& arguments, Done done) {
  if (state_ != State::kUp) {
    stats_.skipped.Add();
    return std::move(done)(std::nullopt);
  }
  if (in_flight_.size() >= options_.most_in_flight) {
    stats_.overloads.Add();
    return std::move(done)(std::nullopt);
  }
  auto command = std::make_unique<Command>(*this, arguments.front(), std::move(done));
  if (connection_.Issue(arguments, *command)) {
    in_flight_.push_back(command.release());
  } else {  // the connection is about to be lost
    std::move(command->done)(std::nullopt);
  }
}

// However long the turn was, a command's time begins when it leaves.
void RedisClient::Impl::Leaving() {
  const Time due = In(options_.command_timeout);
  for (auto command = in_flight_.rbegin();
       command != in_flight_.rend() && (*command)->due == kNever; ++command) {
    (*command)->due = due;
  }
  const bool pings = std::exchange(pings_now_, false);
  if (pings || (!in_flight_.empty() && !command_timer_.is_set())) command_timer_.Set(due);
}

void RedisClient::Impl::HandleReply(Command& command, std::optional<RedisReply> reply) {
  if (!command.done) {
    replied_late_ = replied_late_ || reply.has_value();
    return;
  }
  in_flight_.pop_front();  // replies come in the order of the commands
  if (in_flight_.empty()) command_timer_.Clear();
  if (!reply.has_value()) return std::move(command.done)(std::nullopt);
  Answered(true);
  if (reply->kind == RedisReply::Kind::kError && IsRefusal(reply->text, /*greets=*/false)) {
    // First, so that nobody who is called back asks it again.
    if (state_ == State::kUp) GoDownForLonger(TellRedisRefusal(reply->text, command.name));
    return std::move(command.done)(std::nullopt);
  }
  std::move(command.done)(std::move(reply));
}

// Counts an error that Redis replied. Whoever greets takes any for a refusal.
bool RedisClient::Impl::IsRefusal(absl::string_view error, bool greets) {
  if (absl::StartsWith(error, kUnknownScript)) return false;
  stats_.errors.Add();
  std::optional<size_t> refusal = RedisRefusalIn(error);
  if (!refusal.has_value() && greets) refusal = kOtherRefusal;
  if (refusal.has_value()) stats_.refusals[*refusal].Add();
  return refusal.has_value();
}

void RedisClient::Impl::Answered(bool in_time) {
  late_ = late_ << 1 | (in_time ? 0 : 1);
  timeouts_in_a_row_ = in_time ? 0 : timeouts_in_a_row_ + 1;
  if (++commands_ == kForgivenAfter) pause_ = absl::ZeroDuration();
}

std::string RedisClient::Impl::Lateness() const {
  const int remembered = std::min(commands_, kRemembered);
  return absl::StrCat("it answers too late: ", std::popcount(late_), " of the last ", remembered,
                      " commands took longer than --redis-timeout");
}

void RedisClient::Impl::HandleTimeouts() {
  const int pings = pings_;
  // The reply may be there, and this thread have been late.
  connection_.Read();
  if (state_ == State::kConnecting) {
    ping_is_late_ = pings_ == pings;
    return;
  }
  const Time now = std::chrono::steady_clock::now();
  while (!in_flight_.empty() && in_flight_.front()->due <= now) {
    Done done = std::exchange(in_flight_.front()->done, nullptr);
    in_flight_.pop_front();
    stats_.timeouts.Add();
    Answered(false);
    std::move(done)(std::nullopt);
  }
  if (state_ != State::kUp) return;
  const bool in_a_row = timeouts_in_a_row_ >= options_.timeouts_until_down;
  if (in_a_row && !replied_late_) return GoDown(kNoAnswer);
  if (in_a_row || std::popcount(late_) >= options_.late_until_down) {
    return GoDownForLonger(Lateness());
  }
  // Those that are yet to be written come with a time of their own.
  if (!in_flight_.empty() && in_flight_.front()->due != kNever) {
    command_timer_.Set(in_flight_.front()->due);
  }
}

// What is public --------------------------------------------------------------------------------

RedisClient::RedisClient(EventLoop& loop, const RedisOptions& options) : loop_(loop) {
  loop_.Run([&] {
    impl_ = std::make_unique<Impl>(loop_, options, stats_);
    impl_->Connect();
  });
}

std::unique_ptr<RedisClient> RedisClient::Start(EventLoop& loop, const RedisOptions& options) {
  return std::unique_ptr<RedisClient>(new RedisClient(loop, options));
}

RedisClient::~RedisClient() {
  Stop();
  loop_.Run([this] { impl_.reset(); });
}

void RedisClient::Stop() {
  loop_.Run([this] { impl_->Stop(); });
}

void RedisClient::Send(const std::vector<absl::string_view>& arguments, Done done) {
  impl_->Send(arguments, std::move(done));
}

}  // namespace pcap_gateway
