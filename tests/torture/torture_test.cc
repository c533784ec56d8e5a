// Each system call on the way upstream fails in its turn: the idea of curl's torture tests.
//
// A run makes two calls one after the other through all that the gateway puts around libcurl, so
// that the second finds a connection to use again. In it, one system call fails. Then there is a
// third call, which meets no fault. The next run fails the next system call of the same function,
// until a run ends before it comes to the one that was to fail.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/clock.h"
#include "service/upstream/breaker_client.h"
#include "service/upstream/budgeted_client.h"
#include "service/upstream/curl_client.h"
#include "service/upstream/limited_client.h"
#include "service/upstream/rest_source.h"
#include "service/upstream/retrying_client.h"
#include "tests/support/event.h"
#include "tests/support/queries.h"
#include "tests/support/scripted_server.h"
#include "tests/torture/fail_kth.h"
#include "tests/torture/libcurl_version.h"

namespace pcap_gateway {
namespace {

// Far more system calls than a run makes of any function.
constexpr int kMostCalls = 300;

struct NamedFault {
  const char* name;
  Fault fault;
};

#define FAULT(error)        \
  NamedFault {              \
    #error, Fault { error } \
  }

// What the kernel says when something is wrong, and what it does not say of all of these functions
// but a security module may: an odd errno is no reason for a wrong answer.
const std::vector<NamedFault>& Errors() {
  static const std::vector<NamedFault> errors = {
      FAULT(EINTR),  FAULT(EAGAIN), FAULT(ECONNRESET), FAULT(EPIPE),       FAULT(ENOBUFS),
      FAULT(EMFILE), FAULT(ENOMEM), FAULT(ETIMEDOUT),  FAULT(ENETUNREACH), FAULT(EACCES)};
  return errors;
}

// Whether a function is called on this way.
enum class Use { kYes, kNo, kNotTried };

// A function, and what is tried with it.
struct Torture {
  const char* function;
  std::vector<NamedFault> faults = Errors();
  // Whether a call must get its answer all the same, even where no request is repeated.
  bool harmless = false;
  // A loop that can no longer do it hears of nothing until the time is up.
  bool deafens = false;
  // Asking again is of no use, says libcurl's error.
  bool final = false;
  Use use = Use::kYes;
};

void PrintTo(const Torture& torture, std::ostream* out) { *out << torture.function; }

std::vector<NamedFault> ErrorsAndShort() {
  std::vector<NamedFault> faults = Errors();
  faults.push_back({"one byte", {}});
  return faults;
}

constexpr Use kOldAlone = kNewLibcurl ? Use::kNo : Use::kYes;
constexpr Use kNewAlone = kNewLibcurl ? Use::kYes : Use::kNo;

const std::vector<Torture>& AllFunctions() {
  static const std::vector<Torture> tortures = {
      {.function = "socket"},
      {.function = "connect"},
      {.function = "getsockopt"},
      {.function = "setsockopt", .harmless = true},
      {.function = "getpeername", .harmless = true, .use = kOldAlone},
      {.function = "getsockname", .harmless = true},
      {.function = "fcntl", .harmless = !kNewLibcurl, .final = kNewLibcurl},
      {.function = "recv", .faults = ErrorsAndShort()},
      {.function = "send", .faults = ErrorsAndShort()},
      // libcurl 7.88 then forgets to free the address it found, 64 bytes, which is a finding.
      {.function = "send_local", .use = kCountsLeaks && !kNewLibcurl ? Use::kNotTried : kOldAlone},
      {.function = "write", .use = kNewAlone},
      {.function = "poll"},
      {.function = "socketpair", .use = kOldAlone},
      {.function = "epoll_create1"},
      {.function = "epoll_ctl", .harmless = true, .deafens = true},
      {.function = "epoll_wait", .harmless = true, .deafens = true},
      {.function = "eventfd"},
      {.function = "eventfd_read", .harmless = true},  // its write fails at 2^64 wake-ups alone
      {.function = "getaddrinfo",
       .faults = {FAULT(EAI_AGAIN), FAULT(EAI_NONAME), FAULT(EAI_MEMORY), FAULT(EAI_FAIL)}},
      {.function = "pthread_create", .faults = {FAULT(EAGAIN), FAULT(EPERM)}},
      // libcurl makes its sockets non-blocking with fcntl.
      {.function = "ioctl", .use = Use::kNo},
      // libcurl reads with recv, but for its eventfd; our loop, with eventfd_read.
      {.function = "read", .harmless = true, .use = kNewestLibcurl ? Use::kYes : Use::kNo},
      // For TCP Fast Open, which nobody asked for.
      {.function = "sendmsg", .use = Use::kNo},
  };
  return tortures;
}

std::vector<Torture> Functions(Use use) {
  std::vector<Torture> found;
  for (const Torture& torture : AllFunctions()) {
    if (torture.use == use) found.push_back(torture);
  }
  return found;
}

// Whether a fault is also tried as one that stays: not one that says "again", as it is tried again
// for as long as it does.
bool MayLast(const Torture& torture, const NamedFault& fault) {
  return !torture.deafens && fault.fault.error != EINTR && fault.fault.error != EAGAIN;
}

size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

// What the gateway asks Cloudflare through (service/gateway.cc), with less patience.
class Upstream {
 public:
  Upstream(std::unique_ptr<EventLoop> loop, std::unique_ptr<CurlClient> curl,
           const std::string& url, int most_attempts)
      : loop_(std::move(loop)),
        curl_(std::move(curl)),
        retrying_(
            *loop_, breaker_,
            {.most_attempts = most_attempts, .first_backoff = absl::Microseconds(100)},
            [] { return 0.5; }, clock_),
        source_(*loop_, retrying_, {.base_url = url, .timeout = absl::Seconds(5)}, clock_) {}

  ~Upstream() {
    curl_->Stop();
    loop_->Stop();
  }

  Source& source() { return source_; }

 private:
  SteadyWallClock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<CurlClient> curl_;
  BudgetedClient budgeted_{*curl_, BudgetPolicy{}, nullptr, clock_};
  LimitedClient limited_{budgeted_, {}, clock_};
  BreakerClient breaker_{limited_, {}, clock_};
  RetryingClient retrying_;
  RestSource source_;
};

// A call, and how it ended.
struct Call {
  Event ended;
  std::atomic<int> times = 0;
  std::optional<Reply> reply;
};

std::string BodyOf(int call) {
  return absl::StrCat("{\"id\":\"", NumberedId(call).ToString(), "\"}");
}

// Echoes what it is asked for, so that answers cannot be mixed up unnoticed.
Bytes Echo(const std::string& request) {
  return Answer(
      200, absl::StrCat("{\"id\":\"", request.substr(request.find('/') + 1, Id::kDigits), "\"}"));
}

// What is under way, for the reader of a crash.
std::string under_way;

void SayWhatIsUnderWay(int signal) {
  constexpr char kIntro[] = "\nwhile this failed: ";
  (void)!write(STDERR_FILENO, kIntro, sizeof(kIntro) - 1);
  (void)!write(STDERR_FILENO, under_way.data(), under_way.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// Runs, and how the calls in them ended.
class Runs {
 public:
  ~Runs() { EXPECT_TRUE(AwaitCountedThreads()); }

  // False: the function was called fewer than `k` times.
  bool Run(std::string_view function, int k, const Fault& fault, int most_attempts) {
    const size_t descriptors = OpenDescriptors();
    int called = 0;
    {
      ScriptedServer server(&Echo);
      const std::string url = absl::StrCat("http://", kHostName, ":", server.port());
      CountThisThread();
      FailKth(function, k, fault);
      std::array<Call, 3> calls;
      std::unique_ptr<Upstream> upstream = Start(url, most_attempts);
      if (upstream != nullptr) {
        for (int i = 0; i < 2; ++i) {
          const std::string end = Ask(*upstream, i, calls[i]);
          ++ends_[end];
          if (end != "answer") ++unanswered_;
        }
        called = FailNone();
      } else {
        ++ends_["no start"];
        called = FailNone();
        upstream = Start(url, most_attempts);
      }
      EXPECT_NE(upstream, nullptr);
      if (upstream != nullptr) {
        EXPECT_EQ(Ask(*upstream, 2, calls[2]), "answer");
      }
      upstream.reset();
      CountThisThreadNoMore();
      if (!kResolverLingers) {
        EXPECT_TRUE(AwaitCountedThreads());
      }
      for (const Call& call : calls) EXPECT_LE(call.times, 1);
    }
    EXPECT_EQ(OpenDescriptors(), descriptors);
    ++runs_;
    most_called_ = std::max(most_called_, called);
    return called >= k;
  }

  // Of the function, in one run.
  int most_called() const { return most_called_; }

  // Calls that ended in UNAVAILABLE.
  int unanswered() const { return unanswered_; }

  std::string Summary() const {
    std::string summary = absl::StrCat(runs_, " runs, up to call ", most_called_, ":");
    for (const auto& [end, count] : ends_) absl::StrAppend(&summary, " ", end, " ", count, ";");
    return summary;
  }

 private:
  // Whether it could start; where not, it has said why.
  static bool Started(const absl::Status& status) {
    if (status.ok()) return true;
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_FALSE(status.message().empty());
    return false;
  }

  // Null: it cannot start, and says why.
  static std::unique_ptr<Upstream> Start(const std::string& url, int most_attempts) {
    absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Start();
    if (!Started(loop.status())) return nullptr;
    absl::StatusOr<std::unique_ptr<CurlClient>> curl =
        CurlClient::Start(**loop, {.connect_timeout = absl::Seconds(1),
                                   .first_byte_timeout = absl::Seconds(1),
                                   .stall_timeout = absl::Seconds(1)});
    if (!Started(curl.status())) return nullptr;
    return std::make_unique<Upstream>(*std::move(loop), *std::move(curl), url, most_attempts);
  }

  // How the call ended: "answer", or the reason why there is none.
  static std::string Ask(Upstream& upstream, int number, Call& call) {
    upstream.source().Ask(QueryFor(number), [&call](Reply reply) {
      if (++call.times > 1) return;
      call.reply = std::move(reply);
      call.ended.Happen();
    });
    if (!call.ended.Await()) {
      ADD_FAILURE() << "a call did not end";
      std::abort();
    }
    const Outcome& outcome = *call.reply->outcome;
    if (outcome.ok()) {
      EXPECT_EQ(outcome.message, BodyOf(number));
      return "answer";
    }
    EXPECT_EQ(outcome.error->code, absl::StatusCode::kUnavailable) << outcome.error->message;
    return std::string(NameOf(outcome.error->reason));
  }

  std::map<std::string, int> ends_;
  int runs_ = 0;
  int unanswered_ = 0;
  int most_called_ = 0;
};

class TortureTest : public testing::TestWithParam<Torture> {
 protected:
  static void SetUpTestSuite() {
    for (const int signal : {SIGABRT, SIGSEGV}) std::signal(signal, &SayWhatIsUnderWay);
  }

  void FailEachInTurn(const NamedFault& fault, int most_attempts) {
    bool reached = true;
    for (int k = 1; reached; ++k) {
      under_way = absl::StrCat(GetParam().function, " number ", k, ": ", fault.name,
                               fault.fault.lasting ? ", from then on" : "",
                               most_attempts > 1 ? ", with retries\n" : ", without retries\n");
      SCOPED_TRACE(under_way);
      ASSERT_LT(k, kMostCalls);
      const int before = runs_.unanswered();
      reached = runs_.Run(GetParam().function, k, fault.fault, most_attempts);
      const bool repeated = most_attempts > 1 && !fault.fault.lasting && !GetParam().final;
      if (GetParam().harmless || repeated || !reached) {
        EXPECT_EQ(runs_.unanswered(), before) << "a call got no answer";
      }
    }
  }

  Runs runs_;
};

TEST_P(TortureTest, EndsInTheAnswerOrUnavailable) {
  for (const int most_attempts : {1, 3}) {
    for (const NamedFault& fault : GetParam().faults) {
      FailEachInTurn(fault, most_attempts);
      if (MayLast(GetParam(), fault)) {
        FailEachInTurn({fault.name, {.error = fault.fault.error, .lasting = true}}, most_attempts);
      }
    }
  }
  EXPECT_GT(runs_.most_called(), 0) << "it is not on this way";
  std::printf("%s: %s\n", GetParam().function, runs_.Summary().c_str());
}

INSTANTIATE_TEST_SUITE_P(Each, TortureTest, testing::ValuesIn(Functions(Use::kYes)),
                         [](const auto& info) { return std::string(info.param.function); });

// The first call watches what wakes the loop; the others, libcurl's sockets.
TEST(DeafTest, CallsEndWhenTheirTimeIsUp) {
  EXPECT_TRUE(Runs().Run("epoll_ctl", 2, {.error = ENOMEM, .lasting = true}, 1));
}

// A blocking connect to one that does not answer would hold up all calls.
TEST(BlockingTest, TheLoopGoesOnWhereFcntlDoesNotMakeSocketsNonBlocking) {
  // A queue of one, which is full: who else wants to connect is not heard.
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 0), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::array<int, 4> others;
  for (int& other : others) {
    other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect(other, reinterpret_cast<sockaddr*>(&address), size);
  }

  CountThisThread();
  FailKth("fcntl", 1, {.error = EACCES, .lasting = true});
  auto loop = *EventLoop::Start();
  auto curl = *CurlClient::Start(*loop, {.connect_timeout = absl::Seconds(1)});
  int ticks = 0;
  int ticks_meanwhile = 0;
  Event ended;
  std::function<void()> tick = [&] {
    ++ticks;
    if (!ended.HasHappened()) loop->After(absl::Milliseconds(20), [&] { tick(); });
  };
  loop->Post([&] {
    curl->Send({.url = absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port))},
               [&](const HttpResult& result) {
                 EXPECT_TRUE(std::holds_alternative<TransportFailure>(result));
                 ticks_meanwhile = ticks;
                 ended.Happen();
               });
    tick();
  });
  EXPECT_TRUE(ended.Await());
  curl.reset();
  loop.reset();
  EXPECT_GT(FailNone(), 0);
  CountThisThreadNoMore();
  // Or ends the call at once.
  if (!kNewLibcurl) {
    EXPECT_GT(ticks_meanwhile, 3);
  }
  for (const int other : others) close(other);
  close(listener);
}

class UnusedTest : public testing::TestWithParam<Torture> {};

// Should it come to be, its row says so.
TEST_P(UnusedTest, IsNotOnThisWay) {
  EXPECT_FALSE(Runs().Run(GetParam().function, 1, {.error = EIO}, 1));
}

INSTANTIATE_TEST_SUITE_P(Each, UnusedTest, testing::ValuesIn(Functions(Use::kNo)),
                         [](const auto& info) { return std::string(info.param.function); });

}  // namespace
}  // namespace pcap_gateway
