// Asks the upstream itself for captures, with libcurl and nothing around it, checks each answer,
// and prints one line of JSON: what a call through the gateway is compared with.
//
//   direct --url https://127.0.0.1:8443/client/v4 --ca-file cert.pem --calls 1000 --at-once
//
// One thread, one connection that is open before the first call that counts. Handles are made in
// advance, and libcurl is told which socket has something to say instead of looking at all
// transfers: what is measured is the least that libcurl needs.
#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/program.h"
#include "tests/bench/requests.h"

namespace pcap_gateway::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kHangsAfterMilliseconds = 10'000;

struct Plan {
  std::string url;
  std::string ca_file;
  Mix mix;
  int calls = 0;
  bool at_once = false;
};

void Require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

// A handle, the request it is for, and what came of it.
class Transfer {
 public:
  explicit Transfer(const Plan& plan)
      : base_(absl::StrCat(plan.url, "/accounts/", plan.mix.account_id, "/pcaps/")) {
    Require(easy_ != nullptr, "curl_easy_init failed");
    const bool tls = plan.url.rfind("https:", 0) == 0;
    Set(CURLOPT_WRITEFUNCTION, &OnBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_PIPEWAIT, 1L);  // for the open connection, instead of another
    Set(CURLOPT_HTTP_VERSION,
        static_cast<long>(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (!plan.ca_file.empty()) Set(CURLOPT_CAINFO, plan.ca_file.c_str());
  }
  ~Transfer() { curl_easy_cleanup(easy_); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void AimAt(std::string_view id) {
    id_ = id;
    body_.clear();
    Set(CURLOPT_URL, (base_ + id_).c_str());
  }

  CURL* easy() const { return easy_; }
  long connections_opened() const { return Info(CURLINFO_NUM_CONNECTS); }
  bool failed() const {
    return Info(CURLINFO_RESPONSE_CODE) != 200 || body_.find(id_) == std::string::npos;
  }

 private:
  template <typename T>
  void Set(CURLoption option, T value) {
    Require(curl_easy_setopt(easy_, option, value) == CURLE_OK, "curl_easy_setopt failed");
  }

  long Info(CURLINFO info) const {
    long value = 0;
    curl_easy_getinfo(easy_, info, &value);
    return value;
  }

  static size_t OnBody(char* data, size_t size, size_t count, void* user) {
    static_cast<Transfer*>(user)->body_.append(data, size * count);
    return size * count;
  }

  CURL* const easy_ = curl_easy_init();
  const std::string base_;
  std::string id_;
  std::string body_;
};

// libcurl's event-driven interface on epoll, as in its own example `ephiperfifo.c`.
class Multi {
 public:
  Multi() {
    Require(multi_ != nullptr && epoll_ >= 0, "cannot set up libcurl");
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi_, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
    curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
  }
  ~Multi() {
    curl_multi_cleanup(multi_);
    close(epoll_);
  }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  void Add(Transfer& transfer) { curl_multi_add_handle(multi_, transfer.easy()); }

  // Until a transfer or more have ended; their number.
  int Wait() {
    int ended = 0;
    while ((ended = TakeEnded()) == 0) Turn();
    return ended;
  }

 private:
  void Turn() {
    epoll_event events[16];
    const bool timer = timer_milliseconds_ >= 0;
    const long most = timer ? timer_milliseconds_ : kHangsAfterMilliseconds;
    const int count = epoll_wait(epoll_, events, 16, static_cast<int>(most));
    Require(count > 0 || timer, "the upstream has not answered for 10 s");
    int running = 0;
    for (int n = 0; n < count; ++n) {
      const int flags = ((events[n].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                        ((events[n].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0);
      curl_multi_socket_action(multi_, events[n].data.fd, flags, &running);
    }
    // Events may have set a timer that is due by now.
    if (count > 0 && timer_milliseconds_ != 0) return;
    timer_milliseconds_ = -1;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }

  int TakeEnded() {
    int ended = 0;
    int left;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      curl_multi_remove_handle(multi_, message->easy_handle);
      ++ended;
    }
    return ended;
  }

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* user, void*) {
    const int epoll = static_cast<Multi*>(user)->epoll_;
    epoll_event event = {.events = 0, .data = {.fd = socket}};
    if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);
    } else if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0) {
      epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
    }
    return 0;
  }

  static int OnTimer(CURLM*, long milliseconds, void* user) {
    static_cast<Multi*>(user)->timer_milliseconds_ = milliseconds;
    return 0;
  }

  CURLM* const multi_ = curl_multi_init();
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  long timer_milliseconds_ = -1;  // -1: there is none
};

struct Figures {
  double seconds = 0;  // from the first call to the last answer
  std::vector<double> latencies_us;
  int failures = 0;
  long connections = 0;  // opened for all this

  void Add(const Transfer& transfer) {
    failures += transfer.failed();
    connections += transfer.connections_opened();
  }
};

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Figures RunAtOnce(const Plan& plan, Requests& requests) {
  Figures figures;
  Multi multi;
  Transfer first(plan);  // opens the connection
  first.AimAt(requests.Next().pcap_id);
  multi.Add(first);
  multi.Wait();
  figures.Add(first);
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (int n = 0; n < plan.calls; ++n) {
    transfers.push_back(std::make_unique<Transfer>(plan));
    transfers.back()->AimAt(requests.Next().pcap_id);
  }
  const Clock::time_point begin = Clock::now();
  for (const auto& transfer : transfers) multi.Add(*transfer);
  while (figures.latencies_us.size() < transfers.size()) {
    const int ended = multi.Wait();
    figures.seconds = SecondsSince(begin);
    figures.latencies_us.insert(figures.latencies_us.end(), ended, figures.seconds * 1e6);
  }
  for (const auto& transfer : transfers) figures.Add(*transfer);
  return figures;
}

Figures RunOneByOne(const Plan& plan, Requests& requests) {
  Figures figures;
  Transfer transfer(plan);
  for (int n = 0; n <= plan.calls; ++n) {
    transfer.AimAt(requests.Next().pcap_id);
    const Clock::time_point begin = Clock::now();
    const CURLcode code = curl_easy_perform(transfer.easy());
    const double seconds = SecondsSince(begin);
    Require(code == CURLE_OK, curl_easy_strerror(code));
    figures.Add(transfer);
    if (n == 0) continue;  // it opened the connection
    figures.seconds += seconds;
    figures.latencies_us.push_back(seconds * 1e6);
  }
  return figures;
}

void Print(Figures figures) {
  std::vector<double>& sorted = figures.latencies_us;
  std::sort(sorted.begin(), sorted.end());
  const auto quantile = [&](double share) {  // nearest rank
    return sorted[static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1];
  };
  printf(R"({"calls": %zu, "failures": %d, "connections": %ld, "seconds": %.6f, )", sorted.size(),
         figures.failures, figures.connections, figures.seconds);
  printf(R"("latency_us": {"p50": %.1f, "p90": %.1f, "p99": %.1f}})", quantile(0.5), quantile(0.9),
         quantile(0.99));
  printf("\n");
}

}  // namespace
}  // namespace pcap_gateway::bench

int main(int argc, char** argv) {
  using namespace pcap_gateway::bench;  // NOLINT(google-build-using-namespace)
  CLI::App app("Asks the upstream for captures with libcurl and prints one line of JSON");
  Plan plan;
  app.add_option("--url", plan.url, "As in the gateway's --upstream-url")->required();
  app.add_option("--ca-file", plan.ca_file, "As in the gateway's --upstream-ca-file");
  app.add_option("--calls", plan.calls)->required()->check(CLI::PositiveNumber);
  app.add_option("--first-id", plan.mix.first, "The number of the first made-up id");
  app.add_flag("--at-once", plan.at_once, "All calls at the same time, else one by one");
  return RunProgram("direct", app, [&]() -> std::string {
    app.parse(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    plan.mix.ids = absl::StrCat(plan.calls + 1);  // one opens the connection
    Requests requests(plan.mix);
    const Figures figures = (plan.at_once ? RunAtOnce : RunOneByOne)(plan, requests);
    Print(figures);
    return figures.failures == 0 ? "" : absl::StrCat(figures.failures, " failures");
  });
}
