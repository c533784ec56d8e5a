#include "service/shared/redis_client.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <uv.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/burst.h"
#include "service/base/thread.h"
#include "service/shared/name_lookup.h"

namespace pcap_gateway {
namespace {

uint64_t Milliseconds(absl::Duration duration) {
  // Rounded up: early is useless.
  return static_cast<uint64_t>(
      absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1))));
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

// All of it belongs to the thread, but for what the mutex guards.
class RedisClient::Impl {
 public:
  Impl(RedisOptions options, RedisStats& stats) : options_(std::move(options)), stats_(stats) {}

  absl::Status Start();
  void Stop();
  void Post(Task task);
  void Send(const std::vector<absl::string_view>& arguments, Done done);
  void After(absl::Duration delay, Task task);

 private:
  // A command that was sent; hiredis calls back for each, with or without a reply.
  struct Command {
    Impl& client;
    std::string name;  // GET, EVAL
    Done done;         // empty: it has timed out
    uint64_t due;
  };
  // What hiredis wants to hear of a socket.
  struct Watch {
    uv_poll_t poll;
    redisAsyncContext* context;  // null: gone
    int events = 0;

    void Want(int wanted);
  };
  enum class State { kDown, kConnecting, kUp };

  void Run();
  void RunInbox();
  void Shut();

  void Connect();
  void StartConnecting();
  void Resolve();
  void Found(const std::vector<std::string>& addresses);
  void Attach(redisAsyncContext* context);
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
  void RunDue();
  void StartTimer(uv_timer_t& timer, uint64_t at, uv_timer_cb callback);

  const RedisOptions options_;
  RedisStats& stats_;

  std::mutex mutex_;  // guards the next three
  std::vector<Task> inbox_;
  bool stop_asked_ = false;
  bool stopped_ = false;

  // Times below are libuv's, in milliseconds.
  uv_loop_t loop_;
  uv_async_t wakeup_;
  uv_timer_t command_timer_;  // for the oldest command
  uv_timer_t due_timer_;      // for the first of `due_`
  uv_timer_t connect_timer_;  // while connecting: to give up; while down: to try again
  uv_prepare_t turn_begins_;
  uv_check_t turn_ends_;
  std::optional<Burst> burst_;  // of the turn under way

  State state_ = State::kDown;
  bool stopping_ = false;
  std::string told_;                    // what was logged last
  std::shared_ptr<NameLookup> lookup_;  // under way, perhaps since an attempt that was given up
  size_t next_address_ = 0;  // of the name, modulo their number: the next one when one fails
  redisAsyncContext* context_ = nullptr;
  std::optional<RedisTls> tls_;     // the context's
  std::deque<Command*> in_flight_;  // neither replied to nor timed out; the oldest first
  ReplyGuard guard_;                // of the connection's replies
  // Of the connection under way: what was sent and not yet answered, PINGs sent, and the last of
  // them that were answered in time.
  std::deque<std::string> greetings_;
  int pings_ = 0;
  int prompt_pings_ = 0;
  uint64_t ping_due_ = 0;
  // Since Redis came up: commands over, and those of the last that were late, a bit each.
  int commands_ = 0;
  uint32_t late_ = 0;
  int timeouts_in_a_row_ = 0;
  bool replied_late_ = false;  // to any of those
  absl::Duration pause_;       // before the next try, should it be late
  std::multimap<uint64_t, Task> due_;

  std::thread thread_;
};

// The thread ------------------------------------------------------------------------------------

absl::Status RedisClient::Impl::Start() {
  if (uv_loop_init(&loop_) != 0) {
    return absl::ResourceExhaustedError("cannot set up the loop for Redis");
  }
  uv_async_init(&loop_, &wakeup_,
                [](uv_async_t* handle) { static_cast<Impl*>(handle->data)->RunInbox(); });
  wakeup_.data = this;
  for (uv_timer_t* timer : {&command_timer_, &due_timer_, &connect_timer_}) {
    uv_timer_init(&loop_, timer);
    timer->data = this;
  }
  // The replies that one turn of the loop brings are handed on together.
  uv_prepare_init(&loop_, &turn_begins_);
  turn_begins_.data = this;
  uv_prepare_start(&turn_begins_, [](uv_prepare_t* handle) {
    static_cast<Impl*>(handle->data)->burst_.emplace();
  });
  uv_check_init(&loop_, &turn_ends_);
  turn_ends_.data = this;
  uv_check_start(&turn_ends_,
                 [](uv_check_t* handle) { static_cast<Impl*>(handle->data)->burst_.reset(); });
  thread_ = StartThread([this] { Run(); });
  return absl::OkStatus();
}

void RedisClient::Impl::Run() {
  // hiredis writes without MSG_NOSIGNAL: a Redis that is gone must not end the process.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  Connect();
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

void RedisClient::Impl::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_asked_ = true;
    uv_async_send(&wakeup_);
  }
  thread_.join();
}

void RedisClient::Impl::Post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      // Whoever fills an empty inbox wakes the loop; the others find it awake.
      if (inbox_.empty()) uv_async_send(&wakeup_);
      inbox_.push_back(std::move(task));
      return;
    }
  }
  std::move(task)();
}

void RedisClient::Impl::RunInbox() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(inbox_);
    stopping_ = stop_asked_;
  }
  if (stopping_) GoDown("the gateway is shutting down");
  for (Task& task : tasks) std::move(task)();
  while (stopping_) {
    // What waits for a later time finds now that Redis is down.
    for (auto& [at, task] : std::exchange(due_, {})) std::move(task)();
    {
      const std::lock_guard lock(mutex_);
      tasks.clear();
      tasks.swap(inbox_);
      stopped_ = tasks.empty() && due_.empty();
      if (stopped_) break;
    }
    for (Task& task : tasks) std::move(task)();
  }
  if (stopping_) Shut();
}

// The loop ends when all its handles are closed.
void RedisClient::Impl::Shut() {
  burst_.reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&wakeup_), nullptr);
  for (uv_timer_t* timer : {&command_timer_, &due_timer_, &connect_timer_}) {
    uv_close(reinterpret_cast<uv_handle_t*>(timer), nullptr);
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&turn_begins_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&turn_ends_), nullptr);
}

void RedisClient::Impl::After(absl::Duration delay, Task task) {
  due_.emplace(uv_now(&loop_) + Milliseconds(delay), std::move(task));
  StartTimer(due_timer_, due_.begin()->first,
             [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->RunDue(); });
}

void RedisClient::Impl::RunDue() {
  while (!due_.empty() && due_.begin()->first <= uv_now(&loop_)) {
    Task task = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    std::move(task)();
  }
  if (due_.empty()) return;
  StartTimer(due_timer_, due_.begin()->first,
             [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->RunDue(); });
}

void RedisClient::Impl::StartTimer(uv_timer_t& timer, uint64_t at, uv_timer_cb callback) {
  if (stopping_) return;
  const uint64_t now = uv_now(&loop_);
  uv_timer_start(&timer, callback, at > now ? at - now : 0, 0);
}

// The connection --------------------------------------------------------------------------------

void RedisClient::Impl::Connect() {
  if (stopping_) return;
  StartConnecting();
  if (options_.url.path.empty()) {
    Resolve();
  } else {
    Attach(redisAsyncConnectUnix(options_.url.path.c_str()));
  }
}

void RedisClient::Impl::StartConnecting() {
  state_ = State::kConnecting;
  StartTimer(connect_timer_, uv_now(&loop_) + Milliseconds(options_.connect_timeout),
             [](uv_timer_t* timer) {
               Impl& client = *static_cast<Impl*>(timer->data);
               const bool shakes_hands = client.tls_.has_value() && !client.tls_->IsUp();
               client.ConnectionLost(shakes_hands ? kNoHandshake : kNoAnswer);
             });
}

// Not left to hiredis: that would hold up this thread, and with it all calls, for as long as DNS
// takes. Nor to libuv, whose threads are waited for at the process' end.
void RedisClient::Impl::Resolve() {
  if (lookup_ != nullptr) return;  // one is enough, however long it takes
  lookup_ = NameLookup::Start(options_.url.host, [this](std::vector<std::string> addresses) {
    Post([this, addresses = std::move(addresses)] { Found(addresses); });
  });
  if (lookup_ == nullptr) ConnectionLost("there is no thread to look up its name");
}

void RedisClient::Impl::Found(const std::vector<std::string>& addresses) {
  lookup_ = nullptr;
  // However late: the attempt that asked may have been given up.
  if (stopping_ || state_ == State::kUp || context_ != nullptr) return;
  if (addresses.empty()) return ConnectionLost("its name has no address");
  StartConnecting();
  const std::string& address = addresses[next_address_++ % addresses.size()];
  Attach(redisAsyncConnect(address.c_str(), options_.url.port));
}

void RedisClient::Impl::Watch::Want(int wanted) {
  events = wanted;
  if (events == 0) {
    uv_poll_stop(&poll);
    return;
  }
  uv_poll_start(&poll, events, [](uv_poll_t* handle, int status, int ready) {
    Watch& watch = *static_cast<Watch*>(handle->data);
    // libuv tells an error instead of what is ready; hiredis finds it out by trying.
    if (status != 0) ready = watch.events;
    if (watch.context != nullptr && (ready & UV_READABLE) != 0) {
      static_cast<Impl*>(watch.context->data)->ReadReplies();
    }
    if (watch.context != nullptr && (ready & UV_WRITABLE) != 0) {
      redisAsyncHandleWrite(watch.context);
    }
  });
}

// hiredis has such hooks for libuv, but the ones that Debian 12 ships miss a refused connection.
void RedisClient::Impl::Attach(redisAsyncContext* context) {
  if (context == nullptr) return ConnectionLost("out of memory");
  if (context->err != 0) {
    const std::string why = context->errstr;
    redisAsyncFree(context);
    return ConnectionLost(why);
  }
  if (options_.url.tls) {
    absl::StatusOr<RedisTls> tls =
        RedisTls::Begin(context->c, options_.tls_files, options_.url.host);
    if (!tls.ok()) {
      redisAsyncFree(context);
      return ConnectionLost(tls.status().message());
    }
    tls_ = *tls;
  }
  context_ = context;
  context->data = this;
  auto* const watch = new Watch{.poll = {}, .context = context};
  watch->poll.data = watch;
  uv_poll_init_socket(&loop_, &watch->poll, context->c.fd);
  context->ev.data = watch;
  context->ev.addRead = [](void* data) {
    static_cast<Watch*>(data)->Want(static_cast<Watch*>(data)->events | UV_READABLE);
  };
  context->ev.delRead = [](void* data) {
    static_cast<Watch*>(data)->Want(static_cast<Watch*>(data)->events & ~UV_READABLE);
  };
  context->ev.addWrite = [](void* data) {
    static_cast<Watch*>(data)->Want(static_cast<Watch*>(data)->events | UV_WRITABLE);
  };
  context->ev.delWrite = [](void* data) {
    static_cast<Watch*>(data)->Want(static_cast<Watch*>(data)->events & ~UV_WRITABLE);
  };
  context->ev.cleanup = [](void* data) {
    static_cast<Watch*>(data)->context = nullptr;
    uv_close(static_cast<uv_handle_t*>(data),
             [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
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
  uv_update_time(&loop_);
  ping_due_ = uv_now(&loop_) + Milliseconds(options_.command_timeout);
  SendGreeting({"PING"}, [](redisAsyncContext*, void* reply, void* client) {
    static_cast<Impl*>(client)->Ponged(static_cast<redisReply*>(reply));
  });
}

void RedisClient::Impl::Ponged(const redisReply* reply) {
  Greeted(reply);
  if (reply == nullptr || state_ != State::kConnecting) return;
  uv_update_time(&loop_);
  prompt_pings_ = uv_now(&loop_) <= ping_due_ ? prompt_pings_ + 1 : 0;
  if (prompt_pings_ == kPromptPings) return ComeUp();
  if (pings_ == kMostPings) {
    return GoDownForLonger("it answers too late: PINGs took longer than --redis-timeout");
  }
  Ping();
}

void RedisClient::Impl::ComeUp() {
  state_ = State::kUp;
  if (next_address_ > 0) --next_address_;  // this one again, should the connection be lost
  uv_timer_stop(&connect_timer_);
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
  if (stopping_) return;
  StartTimer(connect_timer_, uv_now(&loop_) + Milliseconds(pause),
             [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->Connect(); });
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
  uv_timer_stop(&command_timer_);
  uv_timer_stop(&connect_timer_);
  if (stopping_ && lookup_ != nullptr) std::exchange(lookup_, nullptr)->Abandon();
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
  StartTimer(connect_timer_, uv_now(&loop_) + Milliseconds(options_.reconnect_after),
             [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->Connect(); });
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
  auto* const command = new Command{.client = *this,
                                    .name = std::string(arguments.front()),
                                    .done = std::move(done),
                                    .due = uv_now(&loop_) + Milliseconds(options_.command_timeout)};
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
  if (in_flight_.size() > 1) return;
  StartTimer(command_timer_, command->due,
             [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->HandleTimeouts(); });
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
  // The reply may be there, and this thread have been late: libuv runs timers first.
  ReadReplies();
  while (!in_flight_.empty() && in_flight_.front()->due <= uv_now(&loop_)) {
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
  if (in_flight_.empty()) return;
  StartTimer(command_timer_, in_flight_.front()->due,
             [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->HandleTimeouts(); });
}

// What is public --------------------------------------------------------------------------------

RedisClient::RedisClient(const RedisOptions& options)
    : impl_(std::make_unique<Impl>(options, stats_)) {}

absl::StatusOr<std::unique_ptr<RedisClient>> RedisClient::Start(const RedisOptions& options) {
  auto client = std::unique_ptr<RedisClient>(new RedisClient(options));
  if (absl::Status status = client->impl_->Start(); !status.ok()) return status;
  return client;
}

RedisClient::~RedisClient() { Stop(); }
void RedisClient::Stop() { impl_->Stop(); }
void RedisClient::Post(Task task) { impl_->Post(std::move(task)); }
void RedisClient::Send(const std::vector<absl::string_view>& arguments, Done done) {
  impl_->Send(arguments, std::move(done));
}
void RedisClient::After(absl::Duration delay, Task task) { impl_->After(delay, std::move(task)); }

}  // namespace pcap_gateway
