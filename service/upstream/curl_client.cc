#include "service/upstream/curl_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/source/burst.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using SteadyTime = std::chrono::steady_clock::time_point;

Kind KindOf(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Kind::kResolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return Kind::kConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return Kind::kTimeout;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return Kind::kTls;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return Kind::kMalformed;
    default:
      return Kind::kBroken;
  }
}

// A URL in two: `https://host:port` and the request target `/path`.
struct SplitUrl {
  explicit SplitUrl(const std::string& url) {
    const size_t authority = url.find("://");
    const size_t path =
        authority == std::string::npos ? std::string::npos : url.find('/', authority + 3);
    origin = url.substr(0, path);
    target = path == std::string::npos ? "/" : url.substr(path);
  }

  std::string origin;
  std::string target;
};

// A request on its way, and the easy handle that carries it. Handles are set up once and used
// again, which saves most of libcurl's work at the start of a request.
struct Transfer {
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string origin;  // what CURLOPT_URL is set to
  HttpClient::Done done;
  HttpAnswer answer;
  size_t most_body_bytes = 0;
  bool too_large = false;
  uint64_t number = 0;  // of this use; a ticket of an earlier one no longer fits

  ~Transfer() {
    curl_slist_free_all(headers);
    if (easy != nullptr) curl_easy_cleanup(easy);
  }
};

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  const size_t bytes = size * count;
  if (transfer.answer.body.size() + bytes > transfer.most_body_bytes) {
    transfer.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.answer.body.append(data, bytes);
  return bytes;
}

// The answer's place for a header that is of use to us; nullptr for the others.
std::string* PlaceFor(absl::string_view name, HttpAnswer& answer) {
  switch (name.size()) {
    case 6:
      return absl::EqualsIgnoreCase(name, "cf-ray") ? &answer.cf_ray : nullptr;
    case 9:
      return absl::EqualsIgnoreCase(name, "ratelimit") ? &answer.ratelimit : nullptr;
    case 11:
      return absl::EqualsIgnoreCase(name, "retry-after") ? &answer.retry_after : nullptr;
    case 12:
      return absl::EqualsIgnoreCase(name, "content-type") ? &answer.content_type : nullptr;
    case 16:
      return absl::EqualsIgnoreCase(name, "ratelimit-policy") ? &answer.ratelimit_policy : nullptr;
    default:
      return nullptr;
  }
}

// libcurl gives whole lines, those of interim (1xx) answers too.
size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  const absl::string_view line(data, size * count);
  if (absl::StartsWith(line, "HTTP/")) {
    transfer.answer = HttpAnswer();
    return line.size();
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return line.size();
  if (std::string* place = PlaceFor(line.substr(0, colon), transfer.answer)) {
    const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
    // A list header may come in several lines (RFC 9110, 5.3).
    if (place->empty()) {
      place->assign(value.data(), value.size());
    } else {
      absl::StrAppend(place, ", ", value);
    }
  }
  return line.size();
}

// Applies options to an easy handle and remembers the first failure, so that there is one place to
// check.
class EasySetup {
 public:
  explicit EasySetup(CURL* easy) : easy_(easy) {}

  template <typename T>
  EasySetup& Set(CURLoption option, T value) {
    if (code_ == CURLE_OK) code_ = curl_easy_setopt(easy_, option, value);
    return *this;
  }

  CURLcode code() const { return code_; }

 private:
  CURL* easy_;
  CURLcode code_ = CURLE_OK;
};

}  // namespace

class CurlClient::Impl {
 public:
  Impl(CurlOptions options, CurlStats& stats) : options_(std::move(options)), stats_(stats) {}

  ~Impl() {
    free_.clear();
    if (multi_ != nullptr) curl_multi_cleanup(multi_);
    if (epoll_ >= 0) close(epoll_);
    if (wakeup_ >= 0) close(wakeup_);
  }

  absl::Status Start();
  void Stop();
  void Post(Task task);
  Ticket After(absl::Duration delay, Task task);
  Ticket Send(const HttpRequest& request, Done done);

 private:
  // What epoll watches of a socket (`registered`), and what libcurl wants watched (`wanted`). They
  // differ while a connection is idle: taking it out of epoll and putting it back would be two
  // system calls a request. Only connections may differ, as of those we hear when they close; of
  // the resolver's sockets we do not.
  struct Watch {
    uint32_t wanted = 0;
    uint32_t registered = 0;
    bool connection = false;
  };

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* user, void*);
  static int OnTimer(CURLM*, long milliseconds, void* user);
  static curl_socket_t OnOpenSocket(void* user, curlsocktype, curl_sockaddr* address);
  static int OnCloseSocket(void* user, curl_socket_t socket);

  void Run();
  int MillisecondsToTimers() const;
  void HandleTimer();
  void RunDue();
  void HandleEvent(const epoll_event& event);
  void RunInbox();
  void CollectFinished();
  void FailAll();

  Watch& WatchOf(curl_socket_t socket);
  void Register(curl_socket_t socket, Watch& watch, uint32_t events);

  std::unique_ptr<Transfer> TakeTransfer();
  std::optional<TransportFailure> Prepare(Transfer& transfer, const HttpRequest& request);
  void Cancel(Transfer* transfer, uint64_t number);
  void Finish(Transfer* transfer, HttpResult result);

  const CurlOptions options_;
  CurlStats& stats_;

  std::mutex mutex_;  // guards these two
  std::vector<Task> inbox_;
  bool stop_asked_ = false;

  // From here on: the loop's thread only, once it runs.
  CURLM* multi_ = nullptr;
  int epoll_ = -1;
  int wakeup_ = -1;
  std::vector<Watch> watches_;                                // by file descriptor
  std::optional<SteadyTime> timer_;                           // libcurl's
  std::multimap<SteadyTime, std::pair<uint64_t, Task>> due_;  // numbered for their tickets
  bool stopping_ = false;
  uint64_t next_number_ = 1;
  std::unordered_set<Transfer*> active_;  // owned
  std::vector<std::unique_ptr<Transfer>> free_;
  std::vector<Task> running_;  // kept for its memory

  std::thread thread_;
};

absl::Status CurlClient::Impl::Start() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) return absl::InternalError("libcurl cannot be initialised");
  multi_ = curl_multi_init();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wakeup_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (multi_ == nullptr || epoll_ < 0 || wakeup_ < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot set up the upstream loop: ", std::strerror(errno)));
  }
  epoll_event event{.events = EPOLLIN, .data = {.fd = wakeup_}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) != 0) {
    return absl::InternalError(absl::StrCat("epoll_ctl: ", std::strerror(errno)));
  }
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Impl::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Impl::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  const auto most = static_cast<long>(options_.most_connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, most);
  // Otherwise libcurl keeps four idle connections for each request in flight, so none when none is.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, most);
  thread_ = std::thread([this] { Run(); });
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
    const int count = epoll_wait(epoll_, events.data(), events.size(), MillisecondsToTimers());
    const Burst burst;
    for (int i = 0; i < count; ++i) HandleEvent(events[i]);
    HandleTimer();
    RunDue();
    CollectFinished();
  }
  FailAll();
}

// For epoll_wait; -1: there is no timer.
int CurlClient::Impl::MillisecondsToTimers() const {
  std::optional<SteadyTime> first = timer_;
  if (!due_.empty() && (!first.has_value() || due_.begin()->first < *first)) {
    first = due_.begin()->first;
  }
  if (!first.has_value()) return -1;
  const auto left = *first - std::chrono::steady_clock::now();
  if (left.count() <= 0) return 0;
  // Rounded up: waking a little early would spin until the time has come.
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

void CurlClient::Impl::HandleTimer() {
  if (!timer_.has_value() || *timer_ > std::chrono::steady_clock::now()) return;
  timer_.reset();
  int running;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
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
  if (fd == wakeup_) {
    eventfd_t ignored;
    eventfd_read(wakeup_, &ignored);
    RunInbox();
    return;
  }
  Watch& watch = WatchOf(fd);
  if (watch.wanted == 0) {
    // An idle connection that the server closed, or spoke on. libcurl finds out when it wants to
    // use it.
    Register(fd, watch, 0);
    return;
  }
  const int flags = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                    ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                    ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
  int running;
  curl_multi_socket_action(multi_, fd, flags, &running);
}

void CurlClient::Impl::RunInbox() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(inbox_);
    stopping_ = stop_asked_;
  }
  for (Task& task : running_) std::move(task)();
  running_.clear();
}

// libcurl's wish for a socket: watch it for reading, writing, both, or no more.
int CurlClient::Impl::OnSocket(CURL*, curl_socket_t socket, int what, void* user, void*) {
  Impl& self = *static_cast<Impl*>(user);
  Watch& watch = self.WatchOf(socket);
  watch.wanted = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) watch.wanted |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) watch.wanted |= EPOLLOUT;
  const bool leave = watch.wanted == 0 && watch.connection;
  if (!leave && watch.wanted != watch.registered) self.Register(socket, watch, watch.wanted);
  return 0;
}

curl_socket_t CurlClient::Impl::OnOpenSocket(void* user, curlsocktype, curl_sockaddr* address) {
  const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (socket < 0) return CURL_SOCKET_BAD;
  static_cast<Impl*>(user)->WatchOf(socket) = Watch{.connection = true};
  return socket;
}

// The kernel forgets a closed descriptor by itself; the number may come back as another connection.
int CurlClient::Impl::OnCloseSocket(void* user, curl_socket_t socket) {
  static_cast<Impl*>(user)->WatchOf(socket) = Watch();
  return close(socket);
}

int CurlClient::Impl::OnTimer(CURLM*, long milliseconds, void* user) {
  Impl& self = *static_cast<Impl*>(user);
  if (milliseconds < 0) {
    self.timer_.reset();
  } else {
    self.timer_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  }
  return 0;
}

CurlClient::Impl::Watch& CurlClient::Impl::WatchOf(curl_socket_t socket) {
  const auto index = static_cast<size_t>(socket);
  if (index >= watches_.size()) watches_.resize(index + 64);
  return watches_[index];
}

void CurlClient::Impl::Register(curl_socket_t socket, Watch& watch, uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = socket}};
  const int operation = events == 0             ? EPOLL_CTL_DEL
                        : watch.registered == 0 ? EPOLL_CTL_ADD
                                                : EPOLL_CTL_MOD;
  const int result = epoll_ctl(epoll_, operation, socket, &event);
  // A socket that was closed unheard, or came back under its old number: the record is wrong, not
  // the wish.
  if (result != 0 && operation == EPOLL_CTL_MOD && errno == ENOENT) {
    epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  } else if (result != 0 && operation == EPOLL_CTL_ADD && errno == EEXIST) {
    epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event);
  }
  watch.registered = events;
}

Ticket CurlClient::Impl::Send(const HttpRequest& request, Done done) {
  if (stopping_) {
    std::move(done)(TransportFailure{Kind::kStopped, "the gateway is shutting down"});
    return {};
  }
  std::unique_ptr<Transfer> transfer = TakeTransfer();
  if (transfer == nullptr) {
    std::move(done)(TransportFailure{Kind::kBroken, "libcurl is out of memory"});
    return {};
  }
  if (std::optional<TransportFailure> failure = Prepare(*transfer, request)) {
    std::move(done)(*std::move(failure));
    return {};
  }
  transfer->done = std::move(done);
  transfer->number = next_number_++;
  Transfer* const raw = transfer.release();
  active_.insert(raw);
  stats_.started.Add();
  curl_multi_add_handle(multi_, raw->easy);
  return Ticket([this, raw, number = raw->number] { Cancel(raw, number); });
}

// A handle with everything set that is the same for all requests; null when libcurl has none to
// give.
std::unique_ptr<Transfer> CurlClient::Impl::TakeTransfer() {
  if (!free_.empty()) {
    std::unique_ptr<Transfer> transfer = std::move(free_.back());
    free_.pop_back();
    return transfer;
  }
  auto transfer = std::make_unique<Transfer>();
  transfer->easy = curl_easy_init();
  if (transfer->easy == nullptr) return nullptr;
  EasySetup setup(transfer->easy);
  setup.Set(CURLOPT_PRIVATE, transfer.get())
      .Set(CURLOPT_WRITEFUNCTION, &OnBody)
      .Set(CURLOPT_WRITEDATA, transfer.get())
      .Set(CURLOPT_HEADERFUNCTION, &OnHeader)
      .Set(CURLOPT_HEADERDATA, transfer.get())
      .Set(CURLOPT_OPENSOCKETFUNCTION, &Impl::OnOpenSocket)
      .Set(CURLOPT_OPENSOCKETDATA, this)
      .Set(CURLOPT_CLOSESOCKETFUNCTION, &Impl::OnCloseSocket)
      .Set(CURLOPT_CLOSESOCKETDATA, this)
      .Set(CURLOPT_USERAGENT, options_.user_agent.c_str())
      .Set(CURLOPT_NOSIGNAL, 1L)
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
      .Set(CURLOPT_CONNECTTIMEOUT_MS,
           static_cast<long>(absl::ToInt64Milliseconds(options_.connect_timeout)))
      .Set(CURLOPT_MAXLIFETIME_CONN,
           static_cast<long>(absl::ToInt64Seconds(options_.connection_age)));
  if (!options_.ca_file.empty()) setup.Set(CURLOPT_CAINFO, options_.ca_file.c_str());
  return setup.code() == CURLE_OK ? std::move(transfer) : nullptr;
}

// Sets what differs from request to request.
std::optional<TransportFailure> CurlClient::Impl::Prepare(Transfer& transfer,
                                                          const HttpRequest& request) {
  curl_slist_free_all(std::exchange(transfer.headers, nullptr));
  transfer.headers = curl_slist_append(nullptr, "Accept: application/json");
  if (request.credential != nullptr) {
    for (const std::string& line : request.credential->header_lines()) {
      transfer.headers = curl_slist_append(transfer.headers, line.c_str());
    }
  }
  for (const std::string& line : request.header_lines) {
    transfer.headers = curl_slist_append(transfer.headers, line.c_str());
  }
  transfer.answer = HttpAnswer();
  transfer.most_body_bytes = request.most_body_bytes;
  transfer.too_large = false;
  const SplitUrl url(request.url);
  const bool tls = absl::StartsWithIgnoreCase(url.origin, "https:");
  const auto timeout = std::max<int64_t>(1, absl::ToInt64Milliseconds(request.timeout));
  EasySetup setup(transfer.easy);
  if (options_.proxy.empty()) {
    // libcurl takes a URL apart and puts it together again for each request. Ours differ in the
    // path alone, which it sends as it is when it is told so.
    if (transfer.origin != url.origin) setup.Set(CURLOPT_URL, url.origin.c_str());
    setup.Set(CURLOPT_REQUEST_TARGET, url.target.c_str());
    transfer.origin = url.origin;
  } else {
    setup.Set(CURLOPT_URL, request.url.c_str());
  }
  setup.Set(CURLOPT_HTTPHEADER, transfer.headers)
      .Set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout))
      .Set(CURLOPT_HTTP_VERSION,
           static_cast<long>(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
      .Set(CURLOPT_CUSTOMREQUEST,
           request.method == "GET" ? nullptr : std::string(request.method).c_str());
  if (setup.code() == CURLE_OK) return std::nullopt;
  return TransportFailure{KindOf(setup.code()), curl_easy_strerror(setup.code())};
}

void CurlClient::Impl::CollectFinished() {
  int left;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    char* user = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
    auto* const transfer = reinterpret_cast<Transfer*>(user);
    if (code == CURLE_OK) {
      long status = 0;
      curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
      transfer->answer.status = static_cast<int>(status);
      stats_.answered.Add();
      Finish(transfer, std::move(transfer->answer));
    } else if (transfer->too_large) {
      stats_.failed.Add();
      Finish(transfer, TransportFailure{Kind::kTooLarge, "the answer is too large"});
    } else {
      stats_.failed.Add();
      Finish(transfer, TransportFailure{KindOf(code), curl_easy_strerror(code)});
    }
  }
}

void CurlClient::Impl::Cancel(Transfer* transfer, uint64_t number) {
  if (!active_.contains(transfer) || transfer->number != number) return;
  stats_.failed.Add();
  Finish(transfer, TransportFailure{Kind::kCancelled, "cancelled"});
}

// Takes the transfer out of libcurl before anybody hears of its end, so that `done` may send anew.
void CurlClient::Impl::Finish(Transfer* transfer, HttpResult result) {
  curl_multi_remove_handle(multi_, transfer->easy);
  active_.erase(transfer);
  Done done = std::exchange(transfer->done, nullptr);
  free_.emplace_back(transfer);
  std::move(done)(std::move(result));
}

void CurlClient::Impl::FailAll() {
  while (!active_.empty()) {
    stats_.failed.Add();
    Finish(*active_.begin(), TransportFailure{Kind::kStopped, "the gateway is shutting down"});
  }
  // Who waits for a later time finds now that nothing is sent any more.
  for (auto& [at, numbered] : std::exchange(due_, {})) std::move(numbered.second)();
  // What those who just heard of it posted in turn.
  RunInbox();
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
