#include "service/operations/admin_listener.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// What came back over HTTP; `status` 0: nothing.
struct Answer {
  long status = 0;  // NOLINT(google-runtime-int): libcurl's
  std::string headers;
  std::string body;
};

size_t AppendTo(const char* bytes, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(bytes, size * count);
  return size * count;
}

Answer Ask(const std::string& method, const std::string& url) {
  Answer answer;
  CURL* const curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  // Before the listener's own limit of ten seconds would make a place.
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 8'000L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  if (method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &AppendTo);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &AppendTo);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.headers);
  if (curl_easy_perform(curl) == CURLE_OK) {
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  }
  curl_easy_cleanup(curl);
  return answer;
}

bool HasIpv6() {
  const int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool has = bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(probe);
  return has;
}

class AdminListenerTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<AdminListener>> Start(const std::string& address) {
    return AdminListener::Start(address,
                                {.metrics = [this] { return metrics_; },
                                 .unready = [this] { return std::string(ready_ ? "" : "not yet"); },
                                 .status_html = [] { return std::string("<p>"); },
                                 .status_json = [] { return std::string("{}"); },
                                 .config_json = "{}",
                                 .status_css = "p {}"});
  }

  // One on a free port, and the answer of its page.
  Answer AskOne(const std::string& method, const std::string& path) {
    if (one_ == nullptr) one_ = Start("127.0.0.1:0").value();
    return Ask(method, absl::StrCat("http://", one_->address(), path));
  }

  std::string metrics_ = "calls_total 7\n";
  std::atomic<bool> ready_ = true;
  std::unique_ptr<AdminListener> one_;
};

TEST_F(AdminListenerTest, TellsTheMetricsInPrometheusTextFormat) {
  const Answer answer = AskOne("GET", "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "calls_total 7\n");
  EXPECT_THAT(answer.headers,
              HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
}

TEST_F(AdminListenerTest, TellsMetricsOfAnySize) {
  for (int i = 0; i < 50'000; ++i) absl::StrAppend(&metrics_, "a_total{number=\"", i, "\"} 1\n");
  EXPECT_EQ(AskOne("GET", "/metrics").body, metrics_);
}

TEST_F(AdminListenerTest, IsHealthyWhileItIsThere) {
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  ready_ = false;
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
}

TEST_F(AdminListenerTest, IsReadyWhileTheGatewayServes) {
  EXPECT_EQ(AskOne("GET", "/readyz").status, 200);
  ready_ = false;
  const Answer unready = AskOne("GET", "/readyz");
  EXPECT_EQ(unready.status, 503);
  EXPECT_EQ(unready.body, "not yet\n");
  ready_ = true;
  EXPECT_EQ(AskOne("GET", "/readyz").status, 200);
}

TEST_F(AdminListenerTest, AnswersHeadWithoutABody) {
  const Answer answer = AskOne("HEAD", "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_THAT(answer.headers, HasSubstr("Content-Length: 14\r\n"));
}

TEST_F(AdminListenerTest, RefusesOtherMethods) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    EXPECT_EQ(AskOne(method, "/metrics").status, 405) << method;
  }
}

TEST_F(AdminListenerTest, HasNoOtherPages) {
  for (const char* path : {"/x", "/metrics/", "/metricsx", "/healthz/x", "/xhealthz",
                           "/../../etc/passwd", "/%2e%2e/etc/passwd", "/etc/passwd"}) {
    EXPECT_EQ(AskOne("GET", path).status, 404) << path;
  }
}

TEST_F(AdminListenerTest, AQueryDoesNoHarm) {
  EXPECT_EQ(AskOne("GET", "/metrics?name[]=calls_total").status, 200);
}

TEST_F(AdminListenerTest, TakesAFreePortAndTellsWhich) {
  const auto listener = Start("127.0.0.1:0").value();
  EXPECT_THAT(listener->address(), StartsWith("127.0.0.1:"));
  EXPECT_THAT(listener->address(), Not(EndsWith(":0")));
}

TEST_F(AdminListenerTest, ListensOnIpv6) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  const auto listener = Start("[::1]:0").value();
  EXPECT_THAT(listener->address(), StartsWith("[::1]:"));
  EXPECT_EQ(Ask("GET", absl::StrCat("http://", listener->address(), "/healthz")).status, 200);
}

TEST_F(AdminListenerTest, ListensOnNoOtherAddressThanItsOwn) {
  const auto listener = Start("127.0.0.1:0").value();
  const std::string port = listener->address().substr(listener->address().rfind(':'));
  EXPECT_EQ(Ask("GET", absl::StrCat("http://127.0.0.2", port, "/healthz")).status, 0);
}

TEST_F(AdminListenerTest, SaysWhichAddressItCannotListenOn) {
  const auto first = Start("127.0.0.1:0").value();
  testing::internal::CaptureStderr();
  const auto second = Start(first->address());
  // RFC 5737: an address that no machine has.
  const auto elsewhere = Start("192.0.2.1:0");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().message(), HasSubstr(first->address()));
  ASSERT_FALSE(elsewhere.ok());
  EXPECT_THAT(elsewhere.status().message(), HasSubstr("192.0.2.1:0"));
}

TEST_F(AdminListenerTest, StopsListeningWhenItIsGone) {
  auto listener = Start("127.0.0.1:0").value();
  const std::string url = absl::StrCat("http://", listener->address(), "/healthz");
  EXPECT_EQ(Ask("GET", url).status, 200);
  listener.reset();
  EXPECT_EQ(Ask("GET", url).status, 0);
}

TEST_F(AdminListenerTest, AnswersManyAtOnce) {
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      if (AskOne("GET", "/metrics").status == 200) ++answered;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 16);
}

// A raw connection to the port at 127.0.0.1.
class Connection {
 public:
  // `receive_buffer`: bytes that it takes without being read; 0: the system's.
  explicit Connection(const std::string& address, int receive_buffer = 0)
      : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
      EXPECT_EQ(setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer)),
                0);
    }
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    server.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&server), sizeof(server)), 0);
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // All of it, or as much as the server cares to hear.
  void Send(const std::string& bytes) const {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }

  // Sends `begin` and then an `x` each `pause`. False: it is still open after `longest`.
  bool DripUntilClosed(const std::string& begin, std::chrono::milliseconds pause,
                       std::chrono::seconds longest) const {
    Send(begin);
    const auto give_up_at = std::chrono::steady_clock::now() + longest;
    while (std::chrono::steady_clock::now() < give_up_at) {
      pollfd closed{.fd = socket_, .events = POLLIN | POLLRDHUP};
      if (poll(&closed, 1, static_cast<int>(pause.count())) > 0) return true;
      Send("x");
    }
    return false;
  }

  // Says that there is no more to come; what the server sends until it closes.
  std::string Finish() const {
    shutdown(socket_, SHUT_WR);
    std::string answer;
    std::array<char, 4096> buffer;
    for (ssize_t n; (n = recv(socket_, buffer.data(), buffer.size(), 0)) > 0;) {
      answer.append(buffer.data(), static_cast<size_t>(n));
    }
    return answer;
  }

 private:
  const int socket_;
};

TEST_F(AdminListenerTest, OutlivesBadRequests) {
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  for (const std::string& bytes :
       {std::string("nonsense\r\n\r\n"), std::string("GET /metrics HTTP/9.9\r\n\r\n"),
        std::string("GET /metrics\r\n"), std::string("\0\0\0\0", 4), std::string("\r\n\r\n"),
        absl::StrCat("GET /metrics HTTP/1.1\r\nX: ", std::string(1 << 20, 'x'), "\r\n\r\n"),
        absl::StrCat("GET /", std::string(1 << 20, 'x'), " HTTP/1.1\r\n\r\n"),
        std::string("GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n")}) {
    const Connection connection(one_->address());
    connection.Send(bytes);
    EXPECT_THAT(connection.Finish(), Not(HasSubstr(" 200 "))) << bytes.substr(0, 40);
    EXPECT_EQ(AskOne("GET", "/healthz").status, 200) << bytes.substr(0, 40);
  }
}

// A probe that is not answered in time restarts the gateway.
TEST_F(AdminListenerTest, ASlowClientHoldsNobodyUp) {
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  std::vector<std::unique_ptr<Connection>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<Connection>(one_->address()));
    slow.back()->Send("GET /metrics HTTP/1.1\r\nHost:");
  }
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  slow[0]->Send(" a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(slow[0]->Finish(), EndsWith("calls_total 7\n"));
}

// The chart's probes would end the gateway.
TEST_F(AdminListenerTest, AProbeFindsAPlaceHoweverManyConnectionsDrip) {
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  for (const int count : {64, 200, 1000}) {
    std::vector<std::unique_ptr<Connection>> dripping;
    for (int i = 0; i < count; ++i) {
      dripping.push_back(std::make_unique<Connection>(one_->address()));
      dripping.back()->Send("G");
    }
    for (const std::string byte : {"E", "T", " "}) {
      EXPECT_EQ(AskOne("GET", "/healthz").status, 200) << count;
      for (const auto& connection : dripping) connection->Send(byte);
    }
  }
}

TEST_F(AdminListenerTest, AProbeFindsAPlaceBesideAnswersThatNobodyReads) {
  // More than the sockets take.
  constexpr int kReceiveBuffer = 4 << 10;
  metrics_ = std::string(512 << 10, 'x');
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  std::vector<std::unique_ptr<Connection>> unread;
  for (int i = 0; i < 70; ++i) {
    unread.push_back(std::make_unique<Connection>(one_->address(), kReceiveBuffer));
    unread.back()->Send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
}

TEST_F(AdminListenerTest, ARequestHasTenSecondsHoweverSlowlyItDrips) {
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  const Connection connection(one_->address());
  // Until the server closes; a byte each fifth of a second would keep it open for ever.
  EXPECT_TRUE(connection.DripUntilClosed("GET /", std::chrono::milliseconds(200),
                                         std::chrono::seconds(20)));
}

TEST_F(AdminListenerTest, ABodyIsNotWaitedFor) {
  EXPECT_EQ(AskOne("GET", "/healthz").status, 200);
  const Connection connection(one_->address());
  connection.Send("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
  EXPECT_THAT(connection.Finish(), StartsWith("HTTP/1.1 405 "));
}

}  // namespace
}  // namespace pcap_gateway
