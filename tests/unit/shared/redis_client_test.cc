#include "service/shared/redis_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_split.h"
#include "service/shared/redis_rehearsal.h"
#include "tests/support/event.h"
#include "tests/support/redis_server.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = RedisReply::Kind;

// What a client logs, to be waited for.
class Log {
 public:
  std::function<void(bool, const std::string&)> Sink() {
    return [this](bool, const std::string& line) {
      const std::lock_guard lock(mutex_);
      text_ += line + "\n";
      changed_.notify_all();
    };
  }
  [[nodiscard]] bool Await(const std::string& text) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      return text_.find(text, seen_) != std::string::npos;
    });
    if (came) seen_ = text_.find(text, seen_) + text.size();
    return came;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  size_t seen_ = 0;  // what was awaited up to here
};

class RedisClientTest : public testing::Test {
 protected:
  void StartClient(const std::string& url, RedisOptions options = {}) {
    options.url = *RedisUrlFrom(url);
    options.command_timeout = options.command_timeout == absl::Milliseconds(5)
                                  ? absl::Seconds(10)  // where it is not what the test is about
                                  : options.command_timeout;
    options.reconnect_after = absl::Milliseconds(10);
    options.log = log_.Sink();
    client_ = RedisClient::Start(*loop_, options);
  }

  std::optional<RedisReply> Send(std::vector<std::string> arguments) {
    std::promise<std::optional<RedisReply>> reply;
    loop_->Post([&] {
      client_->Send({arguments.begin(), arguments.end()},
                    [&](std::optional<RedisReply> its) { reply.set_value(std::move(its)); });
    });
    return reply.get_future().get();
  }

  uint64_t Refusals(absl::string_view kind) const {
    const auto at = std::find(kRedisRefusals.begin(), kRedisRefusals.end(), kind);
    return client_->stats().refusals.at(at - kRedisRefusals.begin()).Value();
  }
  // How often it was logged.
  int Count(absl::string_view text) const {
    return static_cast<int>(std::vector<std::string>(absl::StrSplit(log_.text(), text)).size()) - 1;
  }

  Log log_;
  RedisServer server_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Start();
  std::unique_ptr<RedisClient> client_;
};

TEST_F(RedisClientTest, SendsCommandsAndGivesTheirReplies) {
  StartClient(server_.url());
  ASSERT_TRUE(log_.Await("Redis is up"));
  EXPECT_TRUE(client_->stats().up);
  EXPECT_EQ(Send({"SET", "a", std::string("b\0c", 3)})->text, "OK");
  EXPECT_EQ(Send({"GET", "a"})->text, std::string("b\0c", 3));
  EXPECT_EQ(Send({"GET", "none"})->kind, Kind::kNil);
  EXPECT_EQ(Send({"INCR", "n"})->integer, 1);
  EXPECT_EQ(Send({"TIME"})->elements.size(), 2u);
  EXPECT_EQ(Send({"NONSENSE"})->kind, Kind::kError);
  EXPECT_EQ(client_->stats().errors.Value(), 1u);
}

TEST_F(RedisClientTest, ChoosesItsDatabase) {
  StartClient(server_.url() + "?db=3");
  ASSERT_TRUE(log_.Await("Redis is up"));
  Send({"SET", "a", "b"});
  EXPECT_EQ(server_.Cli({"GET", "a"}), "(nil)");
}

TEST_F(RedisClientTest, ARedisThatIsGoneIsSkippedAndFoundAgain) {
  StartClient(server_.url());
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Kill();
  ASSERT_TRUE(log_.Await("Redis is down"));
  EXPECT_FALSE(Send({"PING"}).has_value());
  EXPECT_GE(client_->stats().connections.Value(), 1u);
  EXPECT_GE(client_->stats().skipped.Value(), 1u);
  EXPECT_FALSE(client_->stats().up);
  server_.Start();
  ASSERT_TRUE(log_.Await("Redis is up"));
  EXPECT_EQ(Send({"PING"})->text, "PONG");
}

TEST_F(RedisClientTest, CommandsInFlightFailWithTheConnection) {
  StartClient(server_.url());
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Pause();
  std::atomic<int> failed{0};
  Event all;
  loop_->Post([&] {
    for (int i = 0; i < 100; ++i) {
      client_->Send({"PING"}, [&](const std::optional<RedisReply>& reply) {
        EXPECT_FALSE(reply.has_value());
        if (++failed == 100) all.Happen();
      });
    }
    server_.Kill();
  });
  EXPECT_TRUE(all.Await());
}

TEST_F(RedisClientTest, ARedisThatDoesNotAnswerFailsACommandInTimeAndIsThenLeftAlone) {
  StartClient(server_.url(), {.command_timeout = absl::Milliseconds(20),
                              .connect_timeout = absl::Milliseconds(50),
                              .timeouts_until_down = 2});
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Pause();
  EXPECT_FALSE(Send({"PING"}).has_value());
  EXPECT_EQ(client_->stats().timeouts.Value(), 1u);
  EXPECT_FALSE(Send({"PING"}).has_value());
  ASSERT_TRUE(log_.Await("Redis is down: it does not answer"));
  EXPECT_FALSE(Send({"PING"}).has_value());
  EXPECT_EQ(client_->stats().timeouts.Value(), 2u);
  EXPECT_GE(client_->stats().skipped.Value(), 1u);
  server_.Continue();
  ASSERT_TRUE(log_.Await("Redis is up"));
  EXPECT_TRUE(Send({"PING"}).has_value());
}

// The reply to a command that has timed out is nobody else's.
TEST_F(RedisClientTest, ALateReplyIsDropped) {
  StartClient(server_.url(), {.command_timeout = absl::Milliseconds(20), .timeouts_until_down = 9});
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Cli({"SET", "late", "late"});
  server_.Cli({"SET", "later", "later"});
  server_.Pause();
  EXPECT_FALSE(Send({"GET", "late"}).has_value());
  server_.Continue();
  std::optional<RedisReply> reply;
  for (int i = 0; i < 9 && !reply.has_value(); ++i) reply = Send({"GET", "later"});
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->text, "later");
}

TEST_F(RedisClientTest, MoreInFlightThanAreAllowedFailAtOnce) {
  StartClient(server_.url(), {.most_in_flight = 2});
  ASSERT_TRUE(log_.Await("Redis is up"));
  std::atomic<int> failed{0};
  Event both;
  std::atomic<int> answered{0};
  loop_->Post([&] {
    for (int i = 0; i < 5; ++i) {
      client_->Send({"PING"}, [&](const std::optional<RedisReply>& reply) {
        if (!reply.has_value())
          ++failed;
        else if (++answered == 2)
          both.Happen();
      });
    }
    EXPECT_EQ(failed, 3);
  });
  EXPECT_TRUE(both.Await());
  EXPECT_EQ(client_->stats().overloads.Value(), 3u);
}

TEST_F(RedisClientTest, LogsInAndSaysSoWhereItCannot) {
  server_.Cli({"CONFIG", "SET", "requirepass", "right"});
  StartClient("unix://:right@" + server_.socket());
  ASSERT_TRUE(log_.Await("Redis is up"));
  StartClient("unix://:canary@" + server_.socket());
  ASSERT_TRUE(log_.Await("Redis is down: it says WRONGPASS"));
  StartClient(server_.url());
  ASSERT_TRUE(log_.Await("Redis is down: it says NOAUTH"));
  EXPECT_THAT(log_.text(), Not(HasSubstr("canary")));
}

TEST_F(RedisClientTest, AUserWhoMayNotDoWhatIsRehearsedIsNotLetInUntilHeMay) {
  server_.Cli({"ACL", "SETUSER", "lame", "on", ">pw", "~*", "+@all", "-@scripting"});
  const std::string url = "unix://lame:pw@" + server_.socket();
  StartClient(url, {.rehearsal = RedisRehearsal()});
  ASSERT_TRUE(log_.Await("Redis is down: it says NOPERM: its user may not use EVALSHA"));
  EXPECT_FALSE(client_->stats().up);
  server_.Cli({"ACL", "SETUSER", "lame", "+@all", "-hset"});
  EXPECT_TRUE(Until([&] { return Refusals("NOPERM") > 2; }));
  server_.Cli({"ACL", "SETUSER", "lame", "+@all"});
  ASSERT_TRUE(log_.Await("Redis is up"));
  EXPECT_EQ(Count("NOPERM"), 1);
  EXPECT_EQ(server_.Cli({"DBSIZE"}), "0");
}

// A command that is refused has no reply, and none is sent until Redis takes some again.
TEST_F(RedisClientTest, ARedisThatBecomesAReplicaIsDownUntilItIsNoneAnyMore) {
  StartClient(server_.url(), {.rehearsal = RedisRehearsal()});
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Cli({"REPLICAOF", "127.0.0.1", "1"});
  server_.Cli({"CONFIG", "SET", "replica-serve-stale-data", "yes"});
  EXPECT_FALSE(Send({"SET", "a", "b"}).has_value());
  EXPECT_FALSE(client_->stats().up);
  ASSERT_TRUE(log_.Await("Redis is down: it says READONLY: it is a replica"));
  // It is asked again on new connections, and says the same.
  EXPECT_TRUE(Until([&] { return Refusals("READONLY") > 2; }));
  EXPECT_FALSE(Send({"SET", "a", "b"}).has_value());
  server_.Cli({"REPLICAOF", "NO", "ONE"});
  ASSERT_TRUE(log_.Await("Redis is up"));
  EXPECT_EQ(Send({"SET", "a", "b"})->text, "OK");
  EXPECT_EQ(Count("READONLY"), 1);
}

TEST_F(RedisClientTest, WhatARedisSaysThatCannotNowTakesItDown) {
  server_.Cli({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  StartClient(server_.url(), {.rehearsal = RedisRehearsal()});
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Cli({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_FALSE(Send({"SET", "a", "b"}).has_value());
  ASSERT_TRUE(log_.Await("Redis is down: it says OOM"));
  server_.Cli({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Cli({"CONFIG", "SET", "min-replicas-to-write", "1"});
  EXPECT_FALSE(Send({"EVAL", "return redis.call('SET', KEYS[1], 'b')", "1", "a"}).has_value());
  ASSERT_TRUE(log_.Await("Redis is down: it says NOREPLICAS"));
  server_.Cli({"CONFIG", "SET", "min-replicas-to-write", "0"});
  ASSERT_TRUE(log_.Await("Redis is up"));
  EXPECT_GE(Refusals("OOM"), 1u);
  EXPECT_GE(Refusals("NOREPLICAS"), 1u);
}

TEST_F(RedisClientTest, CommandsInFlightWithARefusedOneFail) {
  StartClient(server_.url());
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Cli({"REPLICAOF", "127.0.0.1", "1"});
  std::atomic<int> failed{0};
  Event all;
  loop_->Post([&] {
    for (int i = 0; i < 10; ++i) {
      client_->Send({"SET", "a", "b"}, [&](const std::optional<RedisReply>& reply) {
        EXPECT_FALSE(reply.has_value());
        if (++failed == 10) all.Happen();
      });
    }
  });
  EXPECT_TRUE(all.Await());
  EXPECT_EQ(Refusals("READONLY"), 1u);
}

TEST_F(RedisClientTest, NobodyThereIsToldOnce) {
  StartClient("unix:///nonexistent/redis.sock");
  ASSERT_TRUE(log_.Await("Redis is down: "));
  StartClient("redis://127.0.0.1:1");
  ASSERT_TRUE(log_.Await("Redis is down: Connection refused"));
  StartClient("redis://name.invalid");
  ASSERT_TRUE(log_.Await("Redis is down: its name has no address"));
  ASSERT_TRUE(Until([this] { return client_->stats().connections.Value() >= 3; }));
  const std::string text = log_.text();
  const std::string line = "its name has no address";
  EXPECT_EQ(text.find(line), text.rfind(line));
}

// A server that is no Redis, over TCP.
class OddServer {
 public:
  explicit OddServer(std::string says) : says_(std::move(says)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(socket_, 8);
    socklen_t size = sizeof(address);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int client; (client = accept(socket_, nullptr, nullptr)) >= 0; close(client)) {
        send(client, says_.data(), says_.size(), MSG_NOSIGNAL);
        // Until the client has closed: what is not read resets the connection, and the client
        // may lose what it has not read yet.
        std::array<char, 4096> bytes;
        while (recv(client, bytes.data(), bytes.size(), 0) > 0) continue;
      }
    });
  }
  ~OddServer() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

 private:
  const std::string says_;
  const int socket_ = socket(AF_INET, SOCK_STREAM, 0);
  int port_ = 0;
  std::thread thread_;
};

TEST_F(RedisClientTest, AServerThatSpeaksNonsenseIsDown) {
  for (const std::string& says :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string(1000, '\xff'),
        std::string("$-5\r\n"), std::string("*2\r\n:1\r\n?"), std::string("$99999999999999\r\nx"),
        std::string("\r\n\r\n"), std::string("+")}) {
    const OddServer server(says);
    StartClient(server.url(), {.connect_timeout = absl::Milliseconds(100)});
    ASSERT_TRUE(log_.Await("Redis is down")) << says;
    EXPECT_FALSE(Send({"PING"}).has_value());
    client_ = nullptr;
  }
}

// Whatever is announced, or sent without being asked for: the connection ends, and that is all.
TEST_F(RedisClientTest, AServerThatPromisesTooMuchIsDown) {
  const std::string many(100'000, ':');
  std::string unasked, nested, values;
  for (int i = 0; i < 100; ++i) unasked += "+PONG\r\n";
  for (int i = 0; i < 100'000; ++i) nested += "*1\r\n";
  for (int i = 0; i < 100; ++i) values += "*999\r\n:1\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"*1000000000\r\n", "more values"},
      {"*2147483647\r\n", "more values"},
      {"*1001\r\n", "more values"},
      {"*2\r\n*999\r\n*999\r\n", "more values"},
      {nested, ""},
      {unasked, "nobody asked for"},
      {"$500000000\r\n" + std::string(8 << 20, 'x'), "longer than any of ours"},
      {"+" + std::string(8 << 20, 'x'), "longer than any of ours"},
      {"*9\r\n$4000000\r\n" + std::string(4'000'000, 'x') + "\r\n$4000000\r\n" +
           std::string(4'000'000, 'x') + "\r\n",
       "longer than any of ours"},
      {":99999999999999999999\r\n", ""},
      {"*-7\r\n", ""},
  };
  for (const auto& [says, why] : cases) {
    const OddServer server(says);
    StartClient(server.url(), {.connect_timeout = absl::Seconds(20)});
    ASSERT_TRUE(log_.Await("Redis is down")) << says.substr(0, 40);
    ASSERT_TRUE(log_.Await(why)) << says.substr(0, 40) << log_.text();
    EXPECT_GE(client_->stats().connections.Value(), 1u);
    EXPECT_FALSE(Send({"PING"}).has_value());
    client_ = nullptr;
  }
}

// A Redis behind a network that holds each reply back until it is told to let it through.
TEST_F(RedisClientTest, ARedisThatIsAlwaysLateIsDownAndLeftAloneForLongerEachTime) {
  StartClient(server_.url(), {.command_timeout = absl::Milliseconds(20),
                              .timeouts_until_down = 1000,
                              .late_until_down = 3});
  ASSERT_TRUE(log_.Await("Redis is up"));
  // Each second command is late, so that none are in a row.
  while (client_->stats().up) {
    server_.Pause();
    Send({"PING"});
    server_.Continue();
    std::optional<RedisReply> reply;
    for (int i = 0; i < 50 && client_->stats().up && !reply.has_value(); ++i) {
      reply = Send({"PING"});
    }
  }
  ASSERT_TRUE(log_.Await("Redis is down: it answers too late: 3 of the last "));
  ASSERT_TRUE(log_.Await("Redis is up"));
}

TEST_F(RedisClientTest, StoppingFailsWhatIsInFlightAndRunsWhatWaits) {
  StartClient(server_.url());
  ASSERT_TRUE(log_.Await("Redis is up"));
  server_.Pause();
  std::atomic<int> ended{0};
  loop_->Post([&] {
    client_->Send({"PING"}, [&](const std::optional<RedisReply>& reply) {
      EXPECT_FALSE(reply.has_value());
      ++ended;
    });
    loop_->After(absl::Hours(1), [&] { ++ended; });
  });
  client_->Stop();
  EXPECT_EQ(ended, 1);
  loop_->Stop();
  EXPECT_EQ(ended, 2);
  loop_->Post([&] { ++ended; });
  EXPECT_EQ(ended, 3);
}

TEST_F(RedisClientTest, CanBeStoppedInAnyState) {
  for (int i = 0; i < 30; ++i) StartClient(i % 2 == 0 ? server_.url() : "redis://127.0.0.1:1");
}

}  // namespace
}  // namespace pcap_gateway
