#include "service/upstream/curl_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/upstream/curl_transfer.h"
#include "tests/support/event.h"
#include "tests/support/queries.h"
#include "tests/support/scripted_server.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class CurlClientTest : public testing::Test {
 protected:
  CurlClientTest() : loop_(*EventLoop::Start()), client_(*CurlClient::Start(*loop_, {})) {}

  // Sends from the loop's thread and waits for the end.
  HttpResult Get(HttpRequest request) {
    std::optional<HttpResult> result;
    Event ended;
    loop_->Post([&] {
      client_->Send(std::move(request), [&](HttpResult got) {
        result = std::move(got);
        ended.Happen();
      });
    });
    if (!ended.Await()) std::abort();
    return *std::move(result);
  }

  HttpAnswer GetAnswer(HttpRequest request) {
    HttpResult result = Get(std::move(request));
    if (const auto* failure = std::get_if<TransportFailure>(&result)) {
      ADD_FAILURE() << failure->detail;
      return {};
    }
    return std::get<HttpAnswer>(std::move(result));
  }

  std::optional<Kind> GetFailure(HttpRequest request) {
    HttpResult result = Get(std::move(request));
    const auto* failure = std::get_if<TransportFailure>(&result);
    return failure == nullptr ? std::nullopt : std::optional(failure->kind);
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<CurlClient> client_;
};

TEST_F(CurlClientTest, GivesStatusBodyAndTheHeadersOfUse) {
  ScriptedServer server([](const std::string&) {
    return Answer(429, "{}",
                  "Content-Type: application/json\r\nCF-Ray: 8f1-AMS\r\nRetry-After: 17\r\n"
                  "ratelimit: \"default\";r=50;t=30\r\nratelimit: \"burst\";r=1;t=2\r\n"
                  "Ratelimit-Policy: \"burst\";q=100;w=60\r\n");
  });
  const HttpAnswer answer = GetAnswer({.url = server.url()});
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.body, "{}");
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.cf_ray, "8f1-AMS");
  EXPECT_EQ(answer.retry_after, "17");
  EXPECT_EQ(answer.ratelimit, "\"default\";r=50;t=30, \"burst\";r=1;t=2");
  EXPECT_EQ(answer.ratelimit_policy, "\"burst\";q=100;w=60");
}

TEST_F(CurlClientTest, SendsTheCredentialAndTheGivenHeaders) {
  std::string seen;
  ScriptedServer server([&](const std::string& request) {
    seen = request;
    return Answer(200, "{}");
  });
  GetAnswer({.url = server.url() + "/accounts/1",
             .credential = TestCredential("canary"),
             .header_lines = {"traceparent: 00-1-2-01"}});
  EXPECT_THAT(seen, HasSubstr("GET /accounts/1 HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("Authorization: Bearer canary\r\n"));
  EXPECT_THAT(seen, HasSubstr("traceparent: 00-1-2-01\r\n"));
  EXPECT_THAT(seen, HasSubstr("User-Agent: pcap-gateway\r\n"));
}

TEST_F(CurlClientTest, CountsWhatItSendsForWhoeverWantsToKnow) {
  ScriptedServer server([](const std::string&) { return Answer(200, "{}"); });
  const auto sent = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < 2; ++i) GetAnswer({.url = server.url(), .requests_sent = sent});
  GetAnswer({.url = server.url()});
  EXPECT_EQ(sent->load(), 2);
}

TEST_F(CurlClientTest, HeadersOfOneRequestAreNotSentWithTheNext) {
  std::string seen;
  ScriptedServer server([&](const std::string& request) {
    seen = request;
    return Answer(200, "{}");
  });
  GetAnswer({.url = server.url(),
             .credential = TestCredential("canary"),
             .header_lines = {"X-Request-ID: one"}});
  GetAnswer({.url = server.url()});
  EXPECT_THAT(seen, Not(HasSubstr("canary")));
  EXPECT_THAT(seen, Not(HasSubstr("X-Request-ID")));
}

TEST_F(CurlClientTest, SendsABodyWithItsLengthAndTheNextRequestWithoutOne) {
  std::vector<std::string> seen;
  ScriptedServer server([&](const std::string& request) {
    seen.push_back(request);
    Bytes bytes = Answer(200, "{}");
    bytes.then = Bytes::Then::kClose;
    return bytes;
  });
  GetAnswer({.method = "POST",
             .url = server.url() + "/pcaps",
             .body = std::make_shared<const std::string>(R"({"a": 1})")});
  GetAnswer({.method = "PUT",
             .url = server.url() + "/stop",
             .body = std::make_shared<const std::string>(),
             .fresh_connection = true});  // the last one may be closed by now, or not yet
  GetAnswer({.url = server.url(), .fresh_connection = true});
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_THAT(seen[0], HasSubstr("POST /pcaps HTTP/1.1\r\n"));
  EXPECT_THAT(seen[0], HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(seen[0], HasSubstr("Content-Length: 8\r\n"));
  EXPECT_THAT(seen[1], HasSubstr("PUT /stop HTTP/1.1\r\n"));
  EXPECT_THAT(seen[1], HasSubstr("Content-Length: 0\r\n"));
  EXPECT_THAT(seen[1], Not(HasSubstr("Content-Type")));
  EXPECT_THAT(seen[2], HasSubstr("GET / HTTP/1.1\r\n"));
  EXPECT_THAT(seen[2], Not(HasSubstr("Content-")));
}

TEST_F(CurlClientTest, UsesItsConnectionAgain) {
  ScriptedServer server([](const std::string&) { return Answer(200, "{}"); });
  for (int i = 0; i < 5; ++i) GetAnswer({.url = server.url()});
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(CurlClientTest, AnIdleConnectionThatTheServerClosedIsReplacedUnnoticed) {
  ScriptedServer server([](const std::string&) {
    Bytes bytes = Answer(200, "{}");
    bytes.then = Bytes::Then::kClose;
    return bytes;
  });
  // The end may come just when the connection is used again.
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(GetAnswer({.url = server.url(), .idempotent = true}).status, 200);
  }
  EXPECT_EQ(server.connections(), 5u);
}

TEST_F(CurlClientTest, InterimAnswersArePassedOver) {
  ScriptedServer server([](const std::string&) {
    Bytes bytes = Answer(200, "{}");
    bytes.text = "HTTP/1.1 103 Early Hints\r\nCF-Ray: early\r\n\r\n" + bytes.text;
    return bytes;
  });
  const HttpAnswer answer = GetAnswer({.url = server.url()});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.cf_ray, "");
}

TEST_F(CurlClientTest, FollowsNoRedirect) {
  std::atomic<int> asked_elsewhere{0};
  ScriptedServer elsewhere([&](const std::string&) {
    ++asked_elsewhere;
    return Answer(200, "{}");
  });
  ScriptedServer server([&](const std::string&) {
    return Answer(301, "", "Location: " + elsewhere.url() + "/\r\n");
  });
  const HttpAnswer answer =
      GetAnswer({.url = server.url(), .credential = TestCredential("canary")});
  EXPECT_EQ(answer.status, 301);
  EXPECT_EQ(asked_elsewhere, 0);
}

TEST_F(CurlClientTest, UsesNoProxyFromTheEnvironment) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  ScriptedServer server([](const std::string&) { return Answer(200, "{}"); });
  EXPECT_EQ(GetAnswer({.url = server.url()}).status, 200);
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

TEST_F(CurlClientTest, ABodyOverTheLimitFailsTheRequestEvenWithoutAContentLength) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\n\r\n" + std::string(5000, 'x'), Bytes::Then::kClose};
  });
  EXPECT_EQ(GetFailure({.url = server.url(), .most_body_bytes = 4999}), Kind::kTooLarge);
  EXPECT_EQ(GetAnswer({.url = server.url(), .most_body_bytes = 5000}).body.size(), 5000u);
}

TEST_F(CurlClientTest, ABodyThatEndsEarlyIsABrokenAnswer) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half", Bytes::Then::kClose};
  });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kBroken);
}

TEST_F(CurlClientTest, HeadersThatEndEarlyAreABrokenAnswer) {
  for (const char* head : {"HTTP/1.1 200 OK\r\nContent-Ty", "HTTP/1.1 200 OK\r\nX: y\r\n",
                           "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"}) {
    ScriptedServer server([&](const std::string&) { return Bytes{head, Bytes::Then::kClose}; });
    EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kBroken) << head;
  }
}

TEST_F(CurlClientTest, HeadersOverTheLimitFailTheRequest) {
  ScriptedServer server([](const std::string&) {
    std::string headers;
    for (int i = 0; i < 100; ++i) absl::StrAppend(&headers, "X: ", std::string(1000, 'x'), "\r\n");
    return Answer(200, "{}", headers);
  });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kTooLarge);
}

TEST_F(CurlClientTest, AResetIsABrokenAnswer) {
  ScriptedServer server([](const std::string&) { return Bytes{"", Bytes::Then::kReset}; });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kBroken);
}

TEST_F(CurlClientTest, WhatIsNotHttpIsMalformed) {
  ScriptedServer server(
      [](const std::string&) { return Bytes{"SSH-2.0-OpenSSH_9.2\r\n\r\n", Bytes::Then::kClose}; });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kMalformed);
}

TEST_F(CurlClientTest, WhereNobodyListensItFailsToConnect) {
  int port;
  {
    ScriptedServer server([](const std::string&) { return Answer(200, "{}"); });
    port = server.port();
  }
  EXPECT_EQ(GetFailure({.url = absl::StrCat("http://127.0.0.1:", port)}), Kind::kConnect);
}

TEST_F(CurlClientTest, ANameWithoutAnAddressFailsToResolve) {
  EXPECT_EQ(GetFailure({.url = "http://no-such-host.invalid/"}), Kind::kResolve);
}

TEST_F(CurlClientTest, SaysWhyThereIsNoAnswerAndWhereOnlyToOperators) {
  const auto failure = [this](const std::string& url) {
    HttpResult result = Get({.url = url});
    const auto* failed = std::get_if<TransportFailure>(&result);
    EXPECT_NE(failed, nullptr) << url;
    return failed == nullptr ? TransportFailure{} : *failed;
  };
  // Port 1 is nobody's.
  const TransportFailure refused = failure("http://127.0.0.1:1/");
  EXPECT_THAT(refused.detail,
              testing::MatchesRegex("Failed to connect to the upstream after [0-9]+ ms: .*"));
  EXPECT_THAT(refused.for_operators,
              testing::MatchesRegex("127.0.0.1 port 1, directly, at 127.0.0.1: Failed to connect "
                                    "to 127.0.0.1(:| port )1 after .*"));
  const TransportFailure unknown = failure("http://no-such-name.invalid/");
  EXPECT_EQ(unknown.detail, "Could not resolve host: the upstream");
  EXPECT_EQ(unknown.for_operators,
            "no-such-name.invalid port 80, directly: Could not resolve host: "
            "no-such-name.invalid");
  // A connection that was there before: the address is that of the connection.
  ScriptedServer server([](const std::string& request) {
    return absl::StrContains(request, "/good") ? Answer(200, "{}") : Bytes{"hello\r\n\r\n"};
  });
  GetAnswer({.url = server.url() + "/good"});
  EXPECT_THAT(failure(server.url() + "/bad").for_operators,
              HasSubstr(", directly, at 127.0.0.1: "));
  client_ = *CurlClient::Start(*loop_, {.proxy = "http://user:s3cr3t@127.0.0.1:1"});
  const TransportFailure proxied = failure("http://api.example.com/");
  // Since libcurl 8.22 it says "over proxy" and its host, too, and HOST:PORT above.
  EXPECT_THAT(proxied.detail,
              testing::MatchesRegex(".*connect to the proxy (over proxy the proxy )?after .*"));
  EXPECT_THAT(proxied.for_operators,
              testing::StartsWith("api.example.com port 80, through the proxy 127.0.0.1 port 1, at "
                                  "127.0.0.1: Failed"));
  EXPECT_THAT(proxied.for_operators, Not(HasSubstr("s3cr3t")));
}

// Takes all that comes, and asks for a pause after each piece while `pauses`.
class TestSink final : public BodySink {
 public:
  void Begin(std::optional<int64_t> bytes) override { announced = bytes; }
  bool Take(absl::string_view piece, Resume resume) override {
    taken.append(piece.data(), piece.size());
    if (!pauses) return true;
    resume_ = std::move(resume);
    paused.Happen();
    return false;
  }
  // After `paused`, from any thread.
  void GoOn() {
    pauses = false;
    std::move(resume_)();
  }

  std::optional<int64_t> announced;
  std::string taken;
  std::atomic<bool> pauses{false};
  Event paused;

 private:
  Resume resume_;
};

bool BeginsAsWanted(absl::string_view first) { return first == "\x0a\x0d\x0d\x0a"; }

HttpRequest RequestInto(const std::shared_ptr<TestSink>& sink, const ScriptedServer& server) {
  return {.url = server.url(),
          .accept = "application/x-test",
          .sink = sink,
          .is_content = BeginsAsWanted,
          .most_sunk_bytes = 1 << 20};
}

const std::string kContent = "\x0a\x0d\x0d\x0a" + std::string(200'000, 'c');

TEST_F(CurlClientTest, ASinkTakesTheBodyThatWasAskedFor) {
  std::string seen;
  ScriptedServer server([&](const std::string& request) {
    seen = request;
    return Answer(200, kContent);
  });
  const auto sink = std::make_shared<TestSink>();
  HttpRequest request = RequestInto(sink, server);
  std::vector<int> told;
  request.on_content.emplace_back([&](const HttpAnswer& head) {
    EXPECT_FALSE(sink->announced.has_value());
    told.push_back(head.status);
  });
  const HttpAnswer answer = GetAnswer(std::move(request));
  EXPECT_THAT(told, ElementsAre(200));
  EXPECT_THAT(seen, HasSubstr("Accept: application/x-test\r\n"));
  EXPECT_EQ(sink->taken, kContent);
  EXPECT_EQ(sink->announced, static_cast<int64_t>(kContent.size()));
  EXPECT_EQ(answer.sunk_bytes, static_cast<int64_t>(kContent.size()));
  EXPECT_EQ(answer.body, "");
}

TEST_F(CurlClientTest, WhatIsNotForTheSinkIsCollected) {
  const auto sink = std::make_shared<TestSink>();
  for (const Bytes& bytes :
       {Answer(404, kContent), Answer(200, "<html>"), Answer(200, "\x0a\x0d"), Answer(200, "")}) {
    ScriptedServer server([&](const std::string&) { return bytes; });
    const HttpAnswer answer = GetAnswer(RequestInto(sink, server));
    EXPECT_TRUE(absl::EndsWith(bytes.text, "\r\n\r\n" + answer.body));
    EXPECT_EQ(answer.sunk_bytes, 0);
  }
  EXPECT_EQ(sink->taken, "");
}

TEST_F(CurlClientTest, ABodyTooLargeForTheSinkIsRefused) {
  const std::string large = kContent + std::string(1 << 20, 'c');
  ScriptedServer says_so([&](const std::string&) { return Answer(200, large); });
  const auto sink = std::make_shared<TestSink>();
  EXPECT_EQ(GetFailure(RequestInto(sink, says_so)), Kind::kTooLarge);
  EXPECT_EQ(sink->taken, "");  // it was told before the first piece
  ScriptedServer does_not([&](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\n\r\n" + large, Bytes::Then::kClose};
  });
  EXPECT_EQ(GetFailure(RequestInto(sink, does_not)), Kind::kTooLarge);
  EXPECT_LE(sink->taken.size(), size_t{1} << 20);
}

TEST_F(CurlClientTest, AFailureSaysWhatTheSinkHasTaken) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x0a\x0d\x0d\x0ahalf",
                 Bytes::Then::kClose};
  });
  const HttpResult result = Get(RequestInto(std::make_shared<TestSink>(), server));
  const auto* const failure = std::get_if<TransportFailure>(&result);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->kind, Kind::kBroken);
  EXPECT_EQ(failure->sunk_bytes, 8);
}

TEST_F(CurlClientTest, ARequestWithASinkHasAConnectionOfItsOwn) {
  ScriptedServer server([](const std::string&) { return Answer(200, kContent); });
  GetAnswer({.url = server.url()});
  GetAnswer(RequestInto(std::make_shared<TestSink>(), server));
  GetAnswer({.url = server.url()});
  EXPECT_EQ(server.connections(), 2u);
}

TEST(KindOf, TellsWhoHasNoTrustFromWhoWasInterrupted) {
  EXPECT_EQ(KindOf(CURLE_PEER_FAILED_VERIFICATION), Kind::kTls);
  EXPECT_EQ(KindOf(CURLE_SSL_CONNECT_ERROR), Kind::kConnect);
}

TEST_F(CurlClientTest, OtherProtocolsAreRefused) {
  EXPECT_EQ(GetFailure({.url = "file:///etc/passwd"}), Kind::kMalformed);
}

TEST_F(CurlClientTest, ASilentServerTimesOut) {
  ScriptedServer server([](const std::string&) { return Bytes{"", Bytes::Then::kHang}; });
  EXPECT_EQ(GetFailure({.url = server.url(), .timeout = absl::Milliseconds(50)}), Kind::kTimeout);
}

// Transfers that stall are given up after milliseconds, not seconds.
class ImpatientCurlClientTest : public CurlClientTest {
 protected:
  ImpatientCurlClientTest() {
    client_ = *CurlClient::Start(*loop_, {.connect_timeout = absl::Milliseconds(100),
                                          .first_byte_timeout = absl::Milliseconds(100),
                                          .stall_timeout = absl::Milliseconds(100)});
  }
};

TEST_F(ImpatientCurlClientTest, AServerThatDoesNotBeginItsAnswerHasStalled) {
  ScriptedServer server([](const std::string&) { return Bytes{"", Bytes::Then::kHang}; });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kStalled);
  EXPECT_TRUE(server.AwaitClientGone());
}

TEST_F(ImpatientCurlClientTest, AReaderWhoIsSlowIsNoServerThatStalls) {
  ScriptedServer server([](const std::string&) { return Answer(200, kContent); });
  const auto sink = std::make_shared<TestSink>();
  sink->pauses = true;
  // Longer than any patience of the client, the request's timeout too.
  std::thread reader([&] {
    EXPECT_TRUE(sink->paused.Await());
    absl::SleepFor(absl::Milliseconds(500));
    // A piece was taken; the next one waits.
    EXPECT_LT(sink->taken.size(), kContent.size());
    sink->GoOn();
  });
  HttpRequest request = RequestInto(sink, server);
  request.timeout = absl::Milliseconds(300);
  GetAnswer(std::move(request));
  reader.join();
  EXPECT_EQ(sink->taken, kContent);
}

TEST_F(ImpatientCurlClientTest, WhatTheSinkFindsTooLargeAfterAPauseFails) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\n\r\n" + kContent, Bytes::Then::kHang};
  });
  const auto sink = std::make_shared<TestSink>();
  sink->pauses = true;
  std::thread reader([&] {
    EXPECT_TRUE(sink->paused.Await());
    sink->GoOn();
  });
  HttpRequest request = RequestInto(sink, server);
  request.most_sunk_bytes = 30'000;
  EXPECT_EQ(GetFailure(std::move(request)), Kind::kTooLarge);
  reader.join();
}

TEST_F(ImpatientCurlClientTest, AServerThatStopsAmidWhatASinkTakesHasStalled) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x0a\x0d\x0d\x0ahalf",
                 Bytes::Then::kHang};
  });
  EXPECT_EQ(GetFailure(RequestInto(std::make_shared<TestSink>(), server)), Kind::kStalled);
}

TEST_F(ImpatientCurlClientTest, AServerThatStopsAmidItsAnswerHasStalled) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Bytes::Then::kHang};
  });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kStalled);
  EXPECT_TRUE(server.AwaitClientGone());
}

TEST_F(ImpatientCurlClientTest, ABodyThatDripsHasStalled) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", Bytes::Then::kDrip, " "};
  });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kStalled);
  EXPECT_TRUE(server.AwaitClientGone());
}

TEST_F(ImpatientCurlClientTest, HeadersThatDripHaveStalled) {
  ScriptedServer server([](const std::string&) {
    return Bytes{"HTTP/1.1 200 OK\r\n", Bytes::Then::kDrip, "A: b\r\n"};
  });
  EXPECT_EQ(GetFailure({.url = server.url()}), Kind::kStalled);
}

TEST_F(ImpatientCurlClientTest, ALongBodyThatComesFastEnoughIsTaken) {
  const std::string drop(1024, ' ');
  ScriptedServer server([&](const std::string&) {
    return Bytes{absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", 100 * drop.size(), "\r\n\r\n"),
                 Bytes::Then::kDrip, drop};
  });
  EXPECT_EQ(GetAnswer({.url = server.url()}).body.size(), 100 * drop.size());
}

// A port that takes connections no further than into its queue, which is full.
TEST_F(ImpatientCurlClientTest, AConnectionThatTakesTooLongIsOneThatFailed) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 0), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<int> in_queue(4);
  for (int& waiting : in_queue) {
    waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect(waiting, reinterpret_cast<sockaddr*>(&address), size);
  }
  EXPECT_EQ(GetFailure({.url = absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port))}),
            Kind::kConnect);
  for (const int waiting : in_queue) close(waiting);
  close(listener);
}

TEST_F(CurlClientTest, AFreshConnectionIsMadeWhenAskedFor) {
  ScriptedServer server([](const std::string&) { return Answer(200, "{}"); });
  GetAnswer({.url = server.url()});
  GetAnswer({.url = server.url(), .fresh_connection = true});
  EXPECT_EQ(server.connections(), 2);
  GetAnswer({.url = server.url()});
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(CurlClientTest, AnAgedConnectionTakesNoNewRequestButEndsItsOld) {
  client_ = *CurlClient::Start(*loop_, {.connection_age = absl::ZeroDuration()});
  Event asked;
  Event answered;
  ScriptedServer server([&](const std::string& request) {
    if (absl::StartsWith(request, "GET /first")) {
      asked.Happen();
      if (!answered.Await()) return Answer(500, "");
    }
    return Answer(200, request.substr(0, request.find(' ', 4)));
  });
  std::optional<HttpResult> first;
  Event ended;
  loop_->Post([&] {
    client_->Send({.url = server.url() + "/first"}, [&](HttpResult result) {
      first = std::move(result);
      ended.Happen();
    });
  });
  ASSERT_TRUE(asked.Await());
  EXPECT_EQ(GetAnswer({.url = server.url() + "/second"}).body, "GET /second");
  EXPECT_EQ(GetAnswer({.url = server.url() + "/third"}).body, "GET /third");
  EXPECT_EQ(server.connections(), 3);
  answered.Happen();
  ASSERT_TRUE(ended.Await());
  EXPECT_EQ(std::get<HttpAnswer>(*first).body, "GET /first");
}

TEST_F(CurlClientTest, CancelEndsTheTransferAndClosesItsConnection) {
  Event asked;
  ScriptedServer server([&](const std::string&) {
    asked.Happen();
    return Bytes{"", Bytes::Then::kHang};
  });
  Event ended;
  std::optional<Kind> kind;
  Ticket ticket;
  loop_->Post([&] {
    ticket = client_->Send({.url = server.url()}, [&](HttpResult result) {
      kind = std::get<TransportFailure>(result).kind;
      ended.Happen();
    });
  });
  ASSERT_TRUE(asked.Await());
  loop_->Post([&] { ticket.Cancel(); });
  ASSERT_TRUE(ended.Await());
  EXPECT_EQ(kind, Kind::kCancelled);
  EXPECT_TRUE(server.AwaitClientGone());
}

TEST_F(CurlClientTest, ATicketOfAnEarlierRequestDoesNotCancelTheHandlesNext) {
  ScriptedServer server([](const std::string&) { return Answer(200, "{}"); });
  Ticket old;
  Event first;
  loop_->Post(
      [&] { old = client_->Send({.url = server.url()}, [&](HttpResult) { first.Happen(); }); });
  ASSERT_TRUE(first.Await());
  Event second;
  std::optional<HttpResult> result;
  loop_->Post([&] {
    client_->Send({.url = server.url()}, [&](HttpResult got) {
      result = std::move(got);
      second.Happen();
    });
    old.Cancel();
  });
  ASSERT_TRUE(second.Await());
  EXPECT_TRUE(std::holds_alternative<HttpAnswer>(*result));
}

TEST_F(CurlClientTest, StopFailsWhatIsUnderWayAndWhatComesAfter) {
  Event asked;
  ScriptedServer server([&](const std::string&) {
    asked.Happen();
    return Bytes{"", Bytes::Then::kHang};
  });
  std::vector<Kind> kinds;
  const auto note = [&](HttpResult result) {
    kinds.push_back(std::get<TransportFailure>(result).kind);
  };
  loop_->Post([&] {
    client_->Send({.url = server.url()}, [&](HttpResult result) {
      note(std::move(result));
      client_->Send({.url = server.url()}, note);
    });
  });
  ASSERT_TRUE(asked.Await());
  client_->Stop();
  EXPECT_THAT(kinds, testing::ElementsAre(Kind::kStopped, Kind::kStopped));
}

TEST_F(CurlClientTest, StopRunsWhatTasksPostThatItRuns) {
  int ran = 0;
  loop_->Post([&] {
    loop_->After(absl::Hours(1), [&] {
      loop_->Post([&] {
        ++ran;
        loop_->Post([&] { ++ran; });
      });
    });
  });
  client_->Stop();
  loop_->Stop();
  EXPECT_EQ(ran, 2);
}

TEST_F(CurlClientTest, ManyRequestsAtOnceAreAllAnswered) {
  ScriptedServer server([](const std::string& request) {
    return Answer(200, request.substr(0, request.find("\r\n")));
  });
  constexpr int kRequests = 300;
  std::atomic<int> right{0};
  std::atomic<int> ended{0};
  Event all;
  loop_->Post([&] {
    for (int i = 0; i < kRequests; ++i) {
      client_->Send({.url = absl::StrCat(server.url(), "/", i)}, [&, i](HttpResult result) {
        const auto* answer = std::get_if<HttpAnswer>(&result);
        if (answer != nullptr && answer->body == absl::StrCat("GET /", i, " HTTP/1.1")) ++right;
        if (++ended == kRequests) all.Happen();
      });
    }
  });
  ASSERT_TRUE(all.Await());
  EXPECT_EQ(right, kRequests);
}

}  // namespace
}  // namespace pcap_gateway
