#include "service/shared/redis_client.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/burst.h"
#include "service/shared/aside.h"
#include "service/shared/name_lookup.h"

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
class RedisClient::Impl final : private SocketWatcher {
 public:
  Impl(EventLoop& loop, RedisOptions options, RedisStats& stats)
      : loop_(loop),
        options_(std::move(options)),
        stats_(stats),
        command_timer_(loop, [this] { HandleTimeouts(); }),
        connect_timer_(loop, [this] { IsTimeToConnect(); }) {}

  void Connect();
  void Stop();
  void Send(const std::vector<absl::string_view>& arguments, Done done);

 private:
  // A command that was issued; hiredis calls back for each, with or without a reply.
  struct Command {
    Impl& client;
    std::string name;  // GET, EVAL
    Done done;         // empty: it has timed out
    Time due = kNever;
  };
  enum class State { kDown, kConnecting, kUp };
  // What a connection over TCP takes, and may take long to get.
  struct Means {
    std::vector<std::string> addresses;
    absl::StatusOr<RedisTls::Context> tls;  // null: the URL wants none
  };

  void IsTimeToConnect();
  void StartConnecting();
  void FindMeans();
  void Found(const Means& means);
  void Attach(redisAsyncContext* context, const RedisTls::Context& tls_context);
  void Ready(int socket, int what) override;
  void Want(int wanted);
  void WantToWrite();
  void WriteCommands();
  void Greet();
  void SendGreeting(const std::vector<absl::string_view>& arguments, redisCallbackFn* callback);
  void Greeted(const redisReply* reply);
  void Ping();
  void Ponged(const redisReply* reply);
  void ReadReplies();
  void Answered(bool in_time);
  std::string Lateness() const;
  void ComeUp();
  bool IsRefusal(absl::string_view error, bool greets);
  void GoDownForLonger(absl::string_view why);
  void HandleLoss(const redisAsyncContext& context);
  void ConnectionLost(absl::string_view why);
  void GoDown(absl::string_view why);

  bool Issue(const std::vector<absl::string_view>& arguments, redisCallbackFn* callback,
             void* data);
  void HandleReply(Command& command, const redisReply* reply);
  void HandleTimeouts();

  EventLoop& loop_;
  const RedisOptions options_;
  RedisStats& stats_;

  LoopTimer command_timer_;  // for the oldest command, or the PING
  LoopTimer connect_timer_;  // while connecting: to give up; while down: to try again

  State state_ = State::kDown;
  bool stopping_ = false;
  std::string told_;                      // what was logged last
  std::shared_ptr<Aside<Means>> search_;  // under way, perhaps since an attempt that was given up
  size_t next_address_ = 0;  // of the name, modulo their number: the next one when one fails
  redisAsyncContext* context_ = nullptr;
  int socket_ = -1;                 // of the context whose hooks are there
  int wanted_ = 0;                  // of the loop: kReadable, kWritable
  bool will_write_ = false;         // WriteCommands will run in this turn
  bool writes_ = false;             // it does
  std::optional<RedisTls> tls_;     // the context's
  std::deque<Command*> in_flight_;  // neither replied to nor timed out; the oldest first
  ReplyGuard guard_;                // of the connection's replies
  // Of the connection under way: what was sent and not yet answered, PINGs sent, whether the last
  // of them is late, and how many before it were not.
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

// The connection --------------------------------------------------------------------------------

void RedisClient::Impl::Stop() {
  stopping_ = true;
  GoDown("the gateway is shutting down");
}

void RedisClient::Impl::Connect() {
  if (stopping_) return;
  StartConnecting();
  if (options_.url.path.empty()) {
    FindMeans();
  } else {
    Attach(redisAsyncConnectUnix(options_.url.path.c_str()), nullptr);
  }
}

void RedisClient::Impl::StartConnecting() {
  state_ = State::kConnecting;
  connect_timer_.Set(In(options_.connect_timeout));
}

void RedisClient::Impl::IsTimeToConnect() {
  if (state_ != State::kConnecting) return Connect();
  const bool shakes_hands = tls_.has_value() && !tls_->IsUp();
  ConnectionLost(shakes_hands ? kNoHandshake : kNoAnswer);
}

// Not here, nor by hiredis: that would hold up the loop, and with it all calls, for as long as DNS
// or a disk takes. The files are read each time, so that one that was replaced counts from the
// next connection on.
void RedisClient::Impl::FindMeans() {
  if (search_ != nullptr) return;  // one is enough, however long it takes
  search_ = Aside<Means>::Start(
      [url = options_.url, files = options_.tls_files] {
        return Means{AddressesOf(url.host), url.tls ? RedisTls::Load(files) : nullptr};
      },
      [this](Means means) { loop_.Post([this, means = std::move(means)] { Found(means); }); });
  if (search_ == nullptr) ConnectionLost("there is no thread to look up its name");
}

void RedisClient::Impl::Found(const Means& means) {
  const auto& [addresses, tls] = means;
  search_ = nullptr;
  // However late: the attempt that asked may have been given up.
  if (stopping_ || state_ == State::kUp || context_ != nullptr) return;
  if (addresses.empty()) return ConnectionLost("its name has no address");
  if (!tls.ok()) return ConnectionLost(tls.status().message());
  StartConnecting();
  const std::string& address = addresses[next_address_++ % addresses.size()];
  Attach(redisAsyncConnect(address.c_str(), options_.url.port), *tls);
}

void RedisClient::Impl::Want(int wanted) {
  if (wanted == wanted_) return;
  wanted_ = wanted;
  loop_.sockets().Watch(socket_, wanted, this);
}

// hiredis finds errors out by trying.
void RedisClient::Impl::Ready(int, int what) {
  redisAsyncContext* const context = context_;
  const bool failed = (what & kFailed) != 0;
  if ((what & kReadable) != 0 || (failed && (wanted_ & kReadable) != 0)) ReadReplies();
  const bool writable = (what & kWritable) != 0 || (failed && (wanted_ & kWritable) != 0);
  // It may be gone.
  if (context != nullptr && context_ == context && writable) redisAsyncHandleWrite(context);
}

// What is issued in one turn of the loop leaves in one piece at its end. Only where the kernel does
// not take it all, or there is no connection yet, the loop is to say when there is more room.
void RedisClient::Impl::WantToWrite() {
  const bool connected = context_ != nullptr && (context_->c.flags & REDIS_CONNECTED) != 0;
  if (!connected || writes_) return Want(wanted_ | kWritable);
  if (!std::exchange(will_write_, true)) Burst::AtEnd([this] { WriteCommands(); });
}

void RedisClient::Impl::WriteCommands() {
  will_write_ = false;
  if (context_ == nullptr) return;
  // However long the turn was, a command's time begins when it leaves.
  const Time due = In(options_.command_timeout);
  for (auto command = in_flight_.rbegin();
       command != in_flight_.rend() && (*command)->due == kNever; ++command) {
    (*command)->due = due;
  }
  const bool pings = std::exchange(pings_now_, false);
  if (pings || (!in_flight_.empty() && !command_timer_.is_set())) command_timer_.Set(due);
  if ((wanted_ & kWritable) != 0) return;
  writes_ = true;
  redisAsyncHandleWrite(context_);
  writes_ = false;
}

// `tls_context`: null where it is to be without TLS.
void RedisClient::Impl::Attach(redisAsyncContext* context, const RedisTls::Context& tls_context) {
  if (context == nullptr) return ConnectionLost("out of memory");
  if (context->err != 0) {
    const std::string why = context->errstr;
    redisAsyncFree(context);
    return ConnectionLost(why);
  }
  if (tls_context != nullptr) {
    absl::StatusOr<RedisTls> tls = RedisTls::Begin(context->c, tls_context, options_.url.host);
    if (!tls.ok()) {
      redisAsyncFree(context);
      return ConnectionLost(tls.status().message());
    }
    tls_ = *tls;
  }
  context_ = context;
  context->data = this;
  socket_ = context->c.fd;
  wanted_ = 0;
  loop_.sockets().Opened(socket_);
  context->ev.data = this;
  context->ev.addRead = [](void* data) {
    static_cast<Impl*>(data)->Want(static_cast<Impl*>(data)->wanted_ | kReadable);
  };
  context->ev.delRead = [](void* data) {
    static_cast<Impl*>(data)->Want(static_cast<Impl*>(data)->wanted_ & ~kReadable);
  };
  context->ev.addWrite = [](void* data) { static_cast<Impl*>(data)->WantToWrite(); };
  context->ev.delWrite = [](void* data) {
    static_cast<Impl*>(data)->Want(static_cast<Impl*>(data)->wanted_ & ~kWritable);
  };
  // Before a context closes its socket, and so before the next one opens another.
  context->ev.cleanup = [](void* data) {
    Impl& client = *static_cast<Impl*>(data);
    client.loop_.sockets().Closed(client.socket_);
    client.wanted_ = 0;
  };
  redisAsyncSetConnectCallback(context, [](const redisAsyncContext* context, int status) {
    Impl& client = *static_cast<Impl*>(context->data);
    if (client.context_ != context) return;  // given up before
    if (status == REDIS_OK) return client.Greet();
    client.HandleLoss(*context);
  });
  redisAsyncSetDisconnectCallback(context, [](const redisAsyncContext* context, int) {
    Impl& client = *static_cast<Impl*>(context->data);
    if (client.context_ != context) return;
    client.HandleLoss(*context);
  });
}

// Logs in, and sees whether it is a Redis at all, and one that will do.
void RedisClient::Impl::Greet() {
  guard_.Watch(*context_->c.reader);
  greetings_.clear();
  pings_ = prompt_pings_ = 0;
  const RedisUrl& url = options_.url;
  std::vector<std::vector<absl::string_view>> greeting;
  if (!url.user.empty()) {
    greeting.push_back({"AUTH", url.user, url.password});
  } else if (!url.password.empty()) {
    greeting.push_back({"AUTH", url.password});
  }
  const std::string database = absl::StrCat(url.database);
  if (url.database != 0) greeting.push_back({"SELECT", database});
  for (const auto& command : options_.rehearsal) {
    greeting.emplace_back(command.begin(), command.end());
  }
  for (const auto& arguments : greeting) {
    SendGreeting(arguments, [](redisAsyncContext*, void* reply, void* client) {
      static_cast<Impl*>(client)->Greeted(static_cast<redisReply*>(reply));
    });
  }
  Ping();
}

void RedisClient::Impl::SendGreeting(const std::vector<absl::string_view>& arguments,
                                     redisCallbackFn* callback) {
  if (Issue(arguments, callback, this)) greetings_.emplace_back(arguments.front());
}

void RedisClient::Impl::Greeted(const redisReply* reply) {
  guard_.Done();
  if (reply == nullptr || state_ != State::kConnecting) return;  // lost, or given up before
  const std::string command = std::move(greetings_.front());
  greetings_.pop_front();  // replies come in the order of the commands
  if (reply->type != REDIS_REPLY_ERROR) return;
  const absl::string_view error(reply->str, reply->len);
  if (IsRefusal(error, /*greets=*/true)) GoDown(TellRedisRefusal(error, command));
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

void RedisClient::Impl::Ping() {
  ++pings_;
  pings_now_ = true;
  ping_is_late_ = false;
  SendGreeting({"PING"}, [](redisAsyncContext*, void* reply, void* client) {
    static_cast<Impl*>(client)->Ponged(static_cast<redisReply*>(reply));
  });
}

void RedisClient::Impl::Ponged(const redisReply* reply) {
  Greeted(reply);
  if (reply == nullptr || state_ != State::kConnecting) return;
  prompt_pings_ = ping_is_late_ ? 0 : prompt_pings_ + 1;
  if (prompt_pings_ == kPromptPings) return ComeUp();
  if (pings_ == kMostPings) {
    return GoDownForLonger("it answers too late: PINGs took longer than --redis-timeout");
  }
  Ping();
}

void RedisClient::Impl::ComeUp() {
  state_ = State::kUp;
  if (next_address_ > 0) --next_address_;  // this one again, if the connection is lost
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

std::string RedisClient::Impl::Lateness() const {
  const int remembered = std::min(commands_, kRemembered);
  return absl::StrCat("it answers too late: ", std::popcount(late_), " of the last ", remembered,
                      " commands took longer than --redis-timeout");
}

// hiredis frees the context when this returns. Of TLS it says no more than that it failed.
void RedisClient::Impl::HandleLoss(const redisAsyncContext& context) {
  context_ = nullptr;
  const std::string tls_says = tls_.has_value() ? tls_->WhyItFailed() : "";
  ConnectionLost(tls_says.empty() ? context.errstr : tls_says);
}

void RedisClient::Impl::ConnectionLost(absl::string_view why) {
  if (!stopping_) stats_.connections.Add();
  // What it did wrong says more than that hiredis had "no memory" for it.
  const absl::string_view objection = guard_.TakeObjection();
  GoDown(objection.empty() ? why : objection);
}

// Commands fail from now on, those in flight among them, until there is a new connection.
void RedisClient::Impl::GoDown(absl::string_view why) {
  state_ = State::kDown;
  stats_.up = false;
  command_timer_.Clear();
  connect_timer_.Clear();
  if (stopping_ && search_ != nullptr) std::exchange(search_, nullptr)->Abandon();
  // This calls back for each command without a reply.
  if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
  tls_.reset();
  if (stopping_) return;
  // Once for each reason, whatever its figures: it is tried again each second.
  const absl::string_view reason = why.substr(0, why.find(':'));
  if (options_.log && told_ != reason) {
    told_ = std::string(reason);
    options_.log(false, absl::StrCat("Redis is down: ", why, "; calls go on without it"));
  }
  connect_timer_.Set(In(options_.reconnect_after));
}

// Commands --------------------------------------------------------------------------------------

bool RedisClient::Impl::Issue(const std::vector<absl::string_view>& arguments,
                              redisCallbackFn* callback, void* data) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const absl::string_view argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  const bool issued =
      context_ != nullptr &&
      redisAsyncCommandArgv(context_, callback, data, static_cast<int>(texts.size()), texts.data(),
                            sizes.data()) == REDIS_OK;
  if (issued) guard_.Expect();
  return issued;
}

void RedisClient::Impl::Send(const std::vector<absl::string_view>& arguments, Done done) {
  if (state_ != State::kUp) {
    stats_.skipped.Add();
    return std::move(done)(std::nullopt);
  }
  if (in_flight_.size() >= options_.most_in_flight) {
    stats_.overloads.Add();
    return std::move(done)(std::nullopt);
  }
  auto* const command =
      new Command{.client = *this, .name = std::string(arguments.front()), .done = std::move(done)};
  const bool issued = Issue(
      arguments,
      [](redisAsyncContext*, void* reply, void* data) {
        const std::unique_ptr<Command> command(static_cast<Command*>(data));
        command->client.HandleReply(*command, static_cast<redisReply*>(reply));
      },
      command);
  if (!issued) {  // the connection is about to be lost
    const std::unique_ptr<Command> dropped(command);
    return std::move(dropped->done)(std::nullopt);
  }
  in_flight_.push_back(command);
}

// Reads once from the socket, and hands on what replies came with that.
void RedisClient::Impl::ReadReplies() {
  redisAsyncContext* const context = context_;
  if (context == nullptr) return;
  redisAsyncHandleRead(context);
  // It may be gone: lost, or given up by whoever was called back.
  if (context_ == context && guard_.IsTooMuch(*context->c.reader)) ConnectionLost("");
}

void RedisClient::Impl::HandleReply(Command& command, const redisReply* reply) {
  guard_.Done();
  if (!command.done) {
    replied_late_ = replied_late_ || reply != nullptr;
    return;
  }
  in_flight_.pop_front();  // replies come in the order of the commands
  if (in_flight_.empty()) command_timer_.Clear();
  if (reply == nullptr) return std::move(command.done)(std::nullopt);
  Answered(true);
  if (reply->type == REDIS_REPLY_ERROR) {
    const absl::string_view error(reply->str, reply->len);
    if (IsRefusal(error, /*greets=*/false)) {
      // First, so that nobody who is called back asks it again.
      if (state_ == State::kUp) GoDownForLonger(TellRedisRefusal(error, command.name));
      return std::move(command.done)(std::nullopt);
    }
  }
  std::move(command.done)(ReplyFrom(*reply));
}

void RedisClient::Impl::Answered(bool in_time) {
  late_ = late_ << 1 | (in_time ? 0 : 1);
  timeouts_in_a_row_ = in_time ? 0 : timeouts_in_a_row_ + 1;
  if (++commands_ == kForgivenAfter) pause_ = absl::ZeroDuration();
}

void RedisClient::Impl::HandleTimeouts() {
  const int pings = pings_;
  // The reply may be there, and this thread have been late.
  ReadReplies();
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
