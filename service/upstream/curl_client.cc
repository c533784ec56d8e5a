#include "service/upstream/curl_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/burst.h"
#include "service/upstream/curl_pool.h"
#include "service/upstream/curl_transfer.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using SteadyTime = std::chrono::steady_clock::time_point;

// How soon epoll is asked again to watch a socket that it had no memory for.
constexpr std::chrono::milliseconds kEpollRetry{10};

// How often transfers are looked after that have no connection yet (CurlPool::LookAfterAll).
constexpr absl::Duration kLook = absl::Milliseconds(200);

}  // namespace

class CurlClient::Impl {
 public:
  Impl(CurlOptions options, CurlStats& stats)
      : options_(std::move(options)),
        stats_(stats),
        // Often enough to be precise by a quarter.
        stall_check_(std::clamp(std::min(options_.first_byte_timeout, options_.stall_timeout) / 4,
                                absl::Milliseconds(5), absl::Milliseconds(500))),
        // libcurl's port of a proxy that names none.
        proxy_(options_.proxy.empty() ? HostPort() : HostPortOf(options_.proxy, "1080")),
        user_agent_(absl::StrCat("User-Agent: ", options_.user_agent)) {}

  ~Impl() {
    pools_.clear();
    free_.clear();
    if (epoll_ >= 0) close(epoll_);
    if (wakeup_ >= 0) close(wakeup_);
  }

  absl::Status Start();
  void Stop();
  void Post(Task task);
  Ticket After(absl::Duration delay, Task task);
  Ticket Send(const HttpRequest& request, Done done);

 private:
  void Run();
  int MillisecondsToTimers() const;
  void HandleTimers();
  void RunDue();
  void HandleEvent(const epoll_event& event);
  bool RunInbox();
  void CollectFinished();
  void FailStalled();
  void LookAtConnecting();
  void FailAll();

  CurlPool* PoolFor(SteadyTime now);
  std::unique_ptr<CurlTransfer> TakeTransfer();
  void Count(const CurlTransfer& transfer, const HttpResult& result);
  void Fail(CurlTransfer* transfer, uint64_t number, Kind kind, absl::string_view detail);
  void Resume(CurlTransfer* transfer, uint64_t number);
  void Finish(CurlTransfer* transfer, HttpResult result);

  const CurlOptions options_;
  CurlStats& stats_;
  const absl::Duration stall_check_;
  const HostPort proxy_;          // without a host: none
  const std::string user_agent_;  // as a header line: libcurl prints its own option twice

  std::mutex mutex_;  // guards these two
  std::vector<Task> inbox_;
  bool stop_asked_ = false;

  // From here on: the loop's thread only, once it runs.
  int epoll_ = -1;
  int wakeup_ = -1;
  std::unique_ptr<CurlSockets> sockets_;                      // set by Start
  std::vector<std::unique_ptr<CurlPool>> pools_;              // the last one takes new transfers
  std::multimap<SteadyTime, std::pair<uint64_t, Task>> due_;  // numbered for their tickets
  bool stopping_ = false;
  bool checks_for_stalls_ = false;
  bool looks_at_connecting_ = false;
  uint64_t next_number_ = 1;
  std::unordered_set<CurlTransfer*> active_;  // owned
  std::vector<std::unique_ptr<CurlTransfer>> free_;
  std::vector<Task> running_;  // kept for its memory

  std::thread thread_;
};

absl::Status CurlClient::Impl::Start() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) return absl::InternalError("libcurl cannot be initialised");
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wakeup_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wakeup_ < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot set up the upstream loop: ", std::strerror(errno)));
  }
  epoll_event event{.events = EPOLLIN, .data = {.fd = wakeup_}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot set up the upstream loop: ", std::strerror(errno)));
  }
  sockets_ = std::make_unique<CurlSockets>(epoll_);
  if (PoolFor(std::chrono::steady_clock::now()) == nullptr) {
    return absl::ResourceExhaustedError("libcurl cannot set up its connections");
  }
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start the upstream loop: ", error.what()));
  }
  return absl::OkStatus();
}

void CurlClient::Impl::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_asked_ = true;
  }
  eventfd_write(wakeup_, 1);
  thread_.join();
}

void CurlClient::Impl::Post(Task task) {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = inbox_.empty();
    inbox_.push_back(std::move(task));
  }
  // Whoever fills an empty inbox wakes the loop; the others find it awake.
  if (first) eventfd_write(wakeup_, 1);
}

void CurlClient::Impl::Run() {
  std::array<epoll_event, 64> events;
  while (!stopping_) {
    if (sockets_->any_refused()) sockets_->RetryRefused();
    const int count = epoll_wait(epoll_, events.data(), events.size(), MillisecondsToTimers());
    const Burst burst;
    for (int i = 0; i < count; ++i) HandleEvent(events[i]);
    HandleTimers();
    RunDue();
    CollectFinished();
  }
  FailAll();
}

// For epoll_wait; -1: there is no timer.
int CurlClient::Impl::MillisecondsToTimers() const {
  std::optional<SteadyTime> first;
  if (!due_.empty()) first = due_.begin()->first;
  for (const auto& pool : pools_) {
    const std::optional<SteadyTime> timer = pool->timer();
    if (timer.has_value() && (!first.has_value() || *timer < *first)) first = timer;
  }
  if (sockets_->any_refused()) {
    const SteadyTime retry = std::chrono::steady_clock::now() + kEpollRetry;
    first = std::min(first.value_or(retry), retry);
  }
  if (!first.has_value()) return -1;
  const auto left = *first - std::chrono::steady_clock::now();
  if (left.count() <= 0) return 0;
  // Rounded up: waking a little early would spin until the time has come.
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

void CurlClient::Impl::HandleTimers() {
  for (const auto& pool : pools_) {
    if (pool->timer().has_value()) pool->HandleTimer(std::chrono::steady_clock::now());
  }
}

void CurlClient::Impl::RunDue() {
  // The time is asked for once: tasks that put off others by nothing do not hold up the loop.
  if (due_.empty()) return;
  const SteadyTime now = std::chrono::steady_clock::now();
  while (!due_.empty() && due_.begin()->first <= now) {
    Task task = std::move(due_.begin()->second.second);
    due_.erase(due_.begin());
    std::move(task)();
  }
}

Ticket CurlClient::Impl::After(absl::Duration delay, Task task) {
  const SteadyTime at = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(delay);
  const uint64_t number = next_number_++;
  due_.emplace(at, std::pair(number, std::move(task)));
  return Ticket([this, at, number] {
    for (auto [it, end] = due_.equal_range(at); it != end; ++it) {
      if (it->second.first == number) {
        due_.erase(it);
        return;
      }
    }
  });
}

void CurlClient::Impl::HandleEvent(const epoll_event& event) {
  const int fd = event.data.fd;
  if (fd != wakeup_) {
    sockets_->Handle(fd, event.events);
    return;
  }
  eventfd_t ignored;
  eventfd_read(wakeup_, &ignored);
  RunInbox();
}

// False: there was nothing in it.
bool CurlClient::Impl::RunInbox() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(inbox_);
    stopping_ = stop_asked_;
  }
  const bool any = !running_.empty();
  for (Task& task : running_) std::move(task)();
  running_.clear();
  return any;
}

Ticket CurlClient::Impl::Send(const HttpRequest& request, Done done) {
  if (stopping_) {
    std::move(done)(
        TransportFailure{Kind::kStopped, "the gateway is shutting down", /*sendings=*/0});
    return {};
  }
  const SteadyTime now = std::chrono::steady_clock::now();
  std::unique_ptr<CurlTransfer> transfer = TakeTransfer();
  CurlPool* const pool = PoolFor(now);
  if (transfer == nullptr || pool == nullptr) {
    std::move(done)(TransportFailure{Kind::kOwnLimits, "libcurl is out of memory", /*sendings=*/0});
    return {};
  }
  if (const CURLcode code = transfer->Prepare(request, user_agent_); code != CURLE_OK) {
    std::move(done)(TransportFailure{KindOf(code), curl_easy_strerror(code), /*sendings=*/0});
    return {};
  }
  transfer->done = std::move(done);
  transfer->number = next_number_++;
  transfer->started_at = now;
  CurlTransfer* const raw = transfer.release();
  active_.insert(raw);
  stats_.started.Add();
  if (request.requests_sent != nullptr) {
    request.requests_sent->fetch_add(1, std::memory_order_relaxed);
  }
  if (request.sink != nullptr) {
    raw->resume_later = [this, raw, number = raw->number] {
      Post([this, raw, number] { Resume(raw, number); });
    };
  }
  pool->Add(*raw);
  if (!std::exchange(checks_for_stalls_, true)) {
    After(stall_check_, [this] { FailStalled(); });
  }
  if (!std::exchange(looks_at_connecting_, true)) After(kLook, [this] { LookAtConnecting(); });
  return Ticket(
      [this, raw, number = raw->number] { Fail(raw, number, Kind::kCancelled, "cancelled"); });
}

// Where a transfer that starts at `now` goes; null when libcurl has no memory.
CurlPool* CurlClient::Impl::PoolFor(SteadyTime now) {
  if (pools_.empty() ||
      absl::FromChrono(now - pools_.back()->made_at()) > options_.connection_age) {
    if (auto pool = CurlPool::Make(*sockets_, options_.most_connections)) {
      pools_.push_back(std::move(pool));
    }
  }
  return pools_.empty() ? nullptr : pools_.back().get();
}

// A handle with everything set that is the same for all requests; null when libcurl has none to
// give.
std::unique_ptr<CurlTransfer> CurlClient::Impl::TakeTransfer() {
  if (!free_.empty()) {
    std::unique_ptr<CurlTransfer> transfer = std::move(free_.back());
    free_.pop_back();
    return transfer;
  }
  auto transfer = std::make_unique<CurlTransfer>();
  if (!transfer->Init(*sockets_, proxy_)) return nullptr;
  EasySetup setup(transfer->easy);
  setup.Set(CURLOPT_NOSIGNAL, 1L)
      .Set(CURLOPT_FOLLOWLOCATION, 0L)
      .Set(CURLOPT_PROXY, options_.proxy.c_str())  // empty: not even the environment's
      .Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED))
      .Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
      .Set(CURLOPT_PROTOCOLS_STR, "http,https")
      .Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
      .Set(CURLOPT_SSL_VERIFYPEER, 1L)
      .Set(CURLOPT_SSL_VERIFYHOST, 2L)
      .Set(CURLOPT_PIPEWAIT, 1L)
      .Set(CURLOPT_TCP_KEEPALIVE, 1L)
      // The end of a transfer, and of the process, does not wait for a name's look-up: the thread
      // that is at it is left behind, and cleans up after itself.
      .Set(CURLOPT_QUICK_EXIT, 1L)
      .Set(CURLOPT_CONNECTTIMEOUT_MS,
           static_cast<long>(absl::ToInt64Milliseconds(options_.connect_timeout)));
  if (!options_.ca_file.empty()) setup.Set(CURLOPT_CAINFO, options_.ca_file.c_str());
  return setup.code() == CURLE_OK ? std::move(transfer) : nullptr;
}

void CurlClient::Impl::CollectFinished() {
  for (size_t i = 0; i < pools_.size(); ++i) {
    CURLcode code;
    while (CurlTransfer* const transfer = pools_[i]->NextFinished(code)) {
      HttpResult result = transfer->ResultOf(code, sockets_->last_shortage());
      Finish(transfer, std::move(result));
    }
  }
  // Of those that no longer take transfers, the empty ones.
  if (pools_.size() > 1) {
    pools_.erase(std::remove_if(pools_.begin(), pools_.end() - 1,
                                [](const auto& pool) { return pool->empty(); }),
                 pools_.end() - 1);
  }
}

void CurlClient::Impl::FailStalled() {
  const SteadyTime now = std::chrono::steady_clock::now();
  std::vector<std::pair<CurlTransfer*, uint64_t>> stalled;
  for (CurlTransfer* transfer : active_) {
    if (transfer->Stalled(now, options_.first_byte_timeout, options_.stall_timeout,
                          options_.least_bytes)) {
      stalled.emplace_back(transfer, transfer->number);
    }
  }
  for (const auto& [transfer, number] : stalled) {
    Fail(transfer, number, Kind::kStalled, "it kept us waiting for its answer");
  }
  checks_for_stalls_ = !active_.empty();
  if (checks_for_stalls_) After(stall_check_, [this] { FailStalled(); });
}

void CurlClient::Impl::LookAtConnecting() {
  for (const auto& pool : pools_) {
    const bool connects =
        std::any_of(active_.begin(), active_.end(), [&pool](const CurlTransfer* transfer) {
          return transfer->pool == pool.get() && transfer->sendings() == 0;
        });
    if (connects) pool->LookAfterAll();
  }
  looks_at_connecting_ = !active_.empty();
  if (looks_at_connecting_) After(kLook, [this] { LookAtConnecting(); });
}

// Does nothing if that use of the transfer has ended.
void CurlClient::Impl::Fail(CurlTransfer* transfer, uint64_t number, Kind kind,
                            absl::string_view detail) {
  if (!active_.contains(transfer) || transfer->number != number) return;
  Finish(transfer, transfer->Failure(kind, std::string(detail)));
}

// Nor does this.
void CurlClient::Impl::Resume(CurlTransfer* transfer, uint64_t number) {
  if (!active_.contains(transfer) || transfer->number != number) return;
  const CURLcode code = transfer->Resume();
  if (code != CURLE_OK) Finish(transfer, transfer->ResultOf(code, sockets_->last_shortage()));
}

void CurlClient::Impl::Count(const CurlTransfer& transfer, const HttpResult& result) {
  if (transfer.sendings() > 1) stats_.resent.Add(static_cast<uint64_t>(transfer.sendings() - 1));
  if (const auto* const answer = std::get_if<HttpAnswer>(&result)) {
    // What is none of HTTP's statuses is counted with the worst.
    const int hundreds = answer->status / 100;
    const bool known = hundreds >= 1 && hundreds <= static_cast<int>(CurlStats::kClasses);
    stats_.answered[known ? hundreds - 1 : CurlStats::kClasses - 1].Add();
    stats_.duration.Observe(
        absl::FromChrono(std::chrono::steady_clock::now() - transfer.started_at));
  } else if (const auto* const failure = std::get_if<TransportFailure>(&result)) {
    stats_.failed[static_cast<size_t>(failure->kind)].Add();
  }
}

// Takes the transfer out of libcurl before anybody hears of its end, so that `done` may send anew.
void CurlClient::Impl::Finish(CurlTransfer* transfer, HttpResult result) {
  Count(*transfer, result);
  transfer->pool->Remove(*transfer);
  active_.erase(transfer);
  Done done = std::exchange(transfer->done, nullptr);
  transfer->DropSink();
  free_.emplace_back(transfer);
  std::move(done)(std::move(result));
}

void CurlClient::Impl::FailAll() {
  while (!active_.empty()) {
    CurlTransfer* const transfer = *active_.begin();
    Fail(transfer, transfer->number, Kind::kStopped, "the gateway is shutting down");
  }
  // Who waits for a later time finds now that nothing is sent any more.
  for (auto& [at, numbered] : std::exchange(due_, {})) std::move(numbered.second)();
  // What those who just heard of it posted in turn, and what that posts.
  while (RunInbox()) {
  }
}

CurlClient::CurlClient(const CurlOptions& options)
    : impl_(std::make_unique<Impl>(options, stats_)) {}

absl::StatusOr<std::unique_ptr<CurlClient>> CurlClient::Start(const CurlOptions& options) {
  auto client = std::unique_ptr<CurlClient>(new CurlClient(options));
  if (absl::Status status = client->impl_->Start(); !status.ok()) return status;
  return client;
}

CurlClient::~CurlClient() { Stop(); }
void CurlClient::Stop() { impl_->Stop(); }
void CurlClient::Post(Task task) { impl_->Post(std::move(task)); }
Ticket CurlClient::After(absl::Duration delay, Task task) {
  return impl_->After(delay, std::move(task));
}
Ticket CurlClient::Send(HttpRequest request, Done done) {
  return impl_->Send(request, std::move(done));
}

}  // namespace pcap_gateway
