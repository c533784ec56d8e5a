#include "service/shared/redis_client.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <signal.h>
#include <uv.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/source/burst.h"

namespace pcap_gateway {
namespace {

uint64_t Milliseconds(absl::Duration duration) {
  // Rounded up: early is useless.
  return static_cast<uint64_t>(
      absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1))));
}

RedisReply ReplyFrom(const redisReply& reply) {
  RedisReply copy;
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      copy.kind = RedisReply::Kind::kText;
      copy.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_ERROR:
      copy.kind = RedisReply::Kind::kError;
      copy.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_INTEGER:
      copy.kind = RedisReply::Kind::kInteger;
      copy.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      copy.kind = RedisReply::Kind::kArray;
      for (size_t i = 0; i < reply.elements; ++i) {
        copy.elements.push_back(ReplyFrom(*reply.element[i]));
      }
      break;
    default:  // nil, and what this protocol version does not have
      break;
  }
  return copy;
}

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
    Done done;  // empty: it has timed out
    uint64_t due;
  };
  // A host name being looked up.
  struct Lookup {
    uv_getaddrinfo_t request;
    Impl* client;  // null: it has given up
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
  void Resolve();
  void Attach(redisAsyncContext* context);
  void Greet();
  void Greeted(const redisReply* reply, bool is_last);
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
  std::string told_;  // what was logged last
  Lookup* lookup_ = nullptr;
  redisAsyncContext* context_ = nullptr;
  std::deque<Command*> in_flight_;  // neither replied to nor timed out; the oldest first
  int timeouts_in_a_row_ = 0;
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
  thread_ = std::thread([this] { Run(); });
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

// The loop ends when all its handles are closed, and a lookup under way is over: the C library
// cannot be told to stop one.
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
  state_ = State::kConnecting;
  StartTimer(connect_timer_, uv_now(&loop_) + Milliseconds(options_.connect_timeout),
             [](uv_timer_t* timer) {
               static_cast<Impl*>(timer->data)->ConnectionLost("it does not answer");
             });
  if (options_.url.path.empty()) {
    Resolve();
  } else {
    Attach(redisAsyncConnectUnix(options_.url.path.c_str()));
  }
}

// Not left to hiredis: that would hold up this thread, and with it all calls, for as long as DNS
// takes.
void RedisClient::Impl::Resolve() {
  lookup_ = new Lookup{.request = {}, .client = this};
  lookup_->request.data = lookup_;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const auto found = [](uv_getaddrinfo_t* request, int status, addrinfo* addresses) {
    const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
    char address[NI_MAXHOST] = "";
    if (status == 0) {
      getnameinfo(addresses->ai_addr, addresses->ai_addrlen, address, sizeof(address), nullptr, 0,
                  NI_NUMERICHOST);
    }
    uv_freeaddrinfo(addresses);
    if (lookup->client == nullptr) return;
    Impl& client = *lookup->client;
    client.lookup_ = nullptr;
    if (address[0] == '\0') return client.ConnectionLost("its name has no address");
    client.Attach(redisAsyncConnect(address, client.options_.url.port));
  };
  if (uv_getaddrinfo(&loop_, &lookup_->request, found, options_.url.host.c_str(), nullptr,
                     &hints) != 0) {
    delete std::exchange(lookup_, nullptr);
    ConnectionLost("its name cannot be looked up");
  }
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
      redisAsyncHandleRead(watch.context);
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
    client.context_ = nullptr;  // hiredis frees it
    client.ConnectionLost(context->errstr);
  });
  redisAsyncSetDisconnectCallback(context, [](const redisAsyncContext* context, int) {
    Impl& client = *static_cast<Impl*>(context->data);
    if (client.context_ != context) return;
    client.context_ = nullptr;
    client.ConnectionLost(context->errstr);
  });
}

// Logs in, and sees whether it is a Redis at all.
void RedisClient::Impl::Greet() {
  const RedisUrl& url = options_.url;
  std::vector<std::vector<absl::string_view>> greeting;
  if (!url.user.empty()) {
    greeting.push_back({"AUTH", url.user, url.password});
  } else if (!url.password.empty()) {
    greeting.push_back({"AUTH", url.password});
  }
  const std::string database = absl::StrCat(url.database);
  if (url.database != 0) greeting.push_back({"SELECT", database});
  for (const auto& arguments : greeting) {
    Issue(
        arguments,
        [](redisAsyncContext*, void* reply, void* client) {
          static_cast<Impl*>(client)->Greeted(static_cast<redisReply*>(reply), false);
        },
        this);
  }
  Issue(
      {"PING"},
      [](redisAsyncContext*, void* reply, void* client) {
        static_cast<Impl*>(client)->Greeted(static_cast<redisReply*>(reply), true);
      },
      this);
}

void RedisClient::Impl::Greeted(const redisReply* reply, bool is_last) {
  if (reply == nullptr || state_ != State::kConnecting) return;  // lost, or given up before
  if (reply->type == REDIS_REPLY_ERROR) {
    stats_.errors.Add();
    // Its first word alone: WRONGPASS, NOAUTH, LOADING. The rest may repeat what it was sent.
    const absl::string_view text(reply->str, reply->len);
    return GoDown(absl::StrCat("it says ", text.substr(0, std::min<size_t>(text.find(' '), 32))));
  }
  if (!is_last) return;
  state_ = State::kUp;
  uv_timer_stop(&connect_timer_);
  timeouts_in_a_row_ = 0;
  stats_.up = true;
  told_.clear();
  if (options_.log) options_.log(true, "Redis is up");
}

void RedisClient::Impl::ConnectionLost(absl::string_view why) {
  if (!stopping_) stats_.connections.Add();
  GoDown(why);
}

// Commands fail from now on, those in flight among them, until there is a new connection.
void RedisClient::Impl::GoDown(absl::string_view why) {
  state_ = State::kDown;
  stats_.up = false;
  uv_timer_stop(&command_timer_);
  uv_timer_stop(&connect_timer_);
  if (lookup_ != nullptr) std::exchange(lookup_, nullptr)->client = nullptr;
  // This calls back for each command without a reply.
  if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
  if (stopping_) return;
  // Once for each reason: it is tried again each second.
  if (options_.log && told_ != why) {
    told_ = std::string(why);
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
  return context_ != nullptr &&
         redisAsyncCommandArgv(context_, callback, data, static_cast<int>(texts.size()),
                               texts.data(), sizes.data()) == REDIS_OK;
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

void RedisClient::Impl::HandleReply(Command& command, const redisReply* reply) {
  if (reply != nullptr) timeouts_in_a_row_ = 0;
  if (!command.done) return;
  in_flight_.pop_front();  // replies come in the order of the commands
  if (reply == nullptr) return std::move(command.done)(std::nullopt);
  if (reply->type == REDIS_REPLY_ERROR) stats_.errors.Add();
  std::move(command.done)(ReplyFrom(*reply));
}

void RedisClient::Impl::HandleTimeouts() {
  // The reply may be there, and this thread have been late: libuv runs timers first.
  if (context_ != nullptr) redisAsyncHandleRead(context_);
  while (!in_flight_.empty() && in_flight_.front()->due <= uv_now(&loop_)) {
    Done done = std::exchange(in_flight_.front()->done, nullptr);
    in_flight_.pop_front();
    stats_.timeouts.Add();
    ++timeouts_in_a_row_;
    std::move(done)(std::nullopt);
  }
  if (timeouts_in_a_row_ >= options_.timeouts_until_down) return GoDown("it does not answer");
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
