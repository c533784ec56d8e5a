#include "service/rpc/acceptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/net/listening_sockets.h"

namespace pcap_gateway {
namespace {

// A socket of the test's own.
class Connection {
 public:
  explicit Connection(int port) {
    const sockaddr_in address{.sin_family = AF_INET,
                              .sin_port = htons(static_cast<uint16_t>(port)),
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const timeval patience{.tv_sec = 20};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected_ =
        connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;

  bool connected() const { return connected_; }

  // Waits for it: nothing was sent, and the other side has closed.
  bool IsClosed() {
    char byte;
    return recv(socket_, &byte, 1, 0) == 0;
  }

 private:
  const int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool connected_ = false;
};

// What is handed over and logged, in the server's place.
class Taker {
 public:
  ~Taker() {
    for (const int connection : taken_) close(connection);
  }

  void Take(int connection) {
    const std::lock_guard lock(mutex_);
    taken_.push_back(connection);
    changed_.notify_all();
  }
  void Log(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
    changed_.notify_all();
  }

  // Both wait.
  bool HasTaken(size_t count) {
    return Await([&] { return taken_.size() >= count; });
  }
  bool HasLogged(size_t count) {
    return Await([&] { return lines_.size() >= count; });
  }

  // The connection taken last.
  int last() {
    const std::lock_guard lock(mutex_);
    return taken_.back();
  }
  void CloseLast() {
    const std::lock_guard lock(mutex_);
    close(taken_.back());
    taken_.pop_back();
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  bool Await(const std::function<bool()>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), holds);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> taken_;
  std::vector<std::string> lines_;
};

class AcceptorTest : public testing::Test {
 protected:
  void Start(int64_t most_connections) {
    absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    acceptor_.emplace(
        *std::move(sockets), most_connections, [this](int connection) { taker_.Take(connection); },
        [this](const std::string& line) { taker_.Log(line); });
    ASSERT_TRUE(acceptor_->Start());
  }

  int port() const { return acceptor_->port(); }

  Taker taker_;
  std::optional<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, HandsConnectionsOverAsGrpcsOwnListenerPreparesThem) {
  Start(0);
  const Connection connection(port());
  ASSERT_TRUE(taker_.HasTaken(1));
  EXPECT_EQ(fcntl(taker_.last(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  EXPECT_EQ(fcntl(taker_.last(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  int value = 0;
  socklen_t size = sizeof(value);
  ASSERT_EQ(getsockopt(taker_.last(), IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
  EXPECT_NE(value, 0);
  ASSERT_EQ(getsockopt(taker_.last(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size), 0);
  EXPECT_EQ(value, 20'000);
}

TEST_F(AcceptorTest, ClosesWhatIsOneTooMany) {
  Start(2);
  const Connection first(port());
  const Connection second(port());
  ASSERT_TRUE(taker_.HasTaken(2));
  Connection third(port());
  EXPECT_TRUE(third.IsClosed());
  EXPECT_EQ(acceptor_->refused().Value(), 1u);
  EXPECT_EQ(acceptor_->connections(), 2);
}

TEST_F(AcceptorTest, WhatIsClosedElsewhereMakesRoom) {
  Start(1);
  for (size_t i = 0; i < 10; ++i) {
    const Connection connection(port());
    ASSERT_TRUE(taker_.HasTaken(1));
    EXPECT_EQ(acceptor_->connections(), 1);
    taker_.CloseLast();
    EXPECT_EQ(acceptor_->connections(), 0);
  }
}

TEST_F(AcceptorTest, ANumberThatBecameAnotherFileIsNoConnection) {
  Start(0);
  const Connection connection(port());
  ASSERT_TRUE(taker_.HasTaken(1));
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(dup2(null, taker_.last()), taker_.last());
  close(null);
  EXPECT_EQ(acceptor_->connections(), 0);
}

TEST_F(AcceptorTest, AFloodIsOneLineInTheLog) {
  Start(1);
  const Connection first(port());
  ASSERT_TRUE(taker_.HasTaken(1));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Connection(port()).IsClosed());
  EXPECT_EQ(acceptor_->refused().Value(), 50u);
  EXPECT_THAT(taker_.lines(), testing::ElementsAre(
                                  "there are 1 connections, as many as may be; refused so far: 1"));
}

// The trap for which gRPC's own listener is not used.
TEST_F(AcceptorTest, IsNotDeafAfterTheProcessWasOutOfDescriptors) {
  Start(0);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // The first of the two is the test's own end, for which one number is left.
  const int free_number = dup(STDIN_FILENO);
  ASSERT_GE(free_number, 0);
  close(free_number);
  const rlimit few{.rlim_cur = static_cast<rlim_t>(free_number) + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    const Connection connection(port());
    EXPECT_TRUE(connection.connected());
    EXPECT_TRUE(taker_.HasLogged(1));
    EXPECT_FALSE(taker_.lines().empty());
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    // The one that had to wait, too.
    EXPECT_TRUE(taker_.HasTaken(1));
  }
  const Connection another(port());
  EXPECT_TRUE(taker_.HasTaken(2));
  EXPECT_THAT(taker_.lines(),
              testing::ElementsAre("new connections have to wait: Too many open files"));
}

TEST_F(AcceptorTest, NobodyListensAfterTheStop) {
  Start(0);
  EXPECT_TRUE(Connection(port()).connected());
  acceptor_->Stop();
  EXPECT_FALSE(Connection(port()).connected());
}

TEST(ListeningSocketsTest, HaveOnePortForAllAddressesOfAName) {
  const auto sockets = ListeningSockets::Open("localhost:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  ASSERT_FALSE(sockets->sockets().empty());
  for (const int socket : sockets->sockets()) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ASSERT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
    const int port = address.ss_family == AF_INET6
                         ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                         : reinterpret_cast<sockaddr_in&>(address).sin_port;
    EXPECT_EQ(ntohs(port), sockets->port());
  }
}

TEST(ListeningSocketsTest, SaysWhyItCannotListen) {
  const auto taken = ListeningSockets::Open("127.0.0.1:0");
  ASSERT_TRUE(taken.ok());
  const std::string port = absl::StrCat(taken->port());
  // TEST-NET-1 is nobody's; the name is none by RFC 6761.
  const std::pair<std::string, std::string> cases[] = {
      {"127.0.0.1:" + port, "Address already in use"},
      {"0.0.0.0:" + port, "Address already in use"},
      {"[::]:" + port, "Address already in use"},
      {"192.0.2.1:0", "Cannot assign requested address"},
      {"no.such.invalid:0", "Name or service not known"},
      {"127.0.0.1", "it has no port"},
  };
  for (const auto& [address, why] : cases) {
    const auto refused = ListeningSockets::Open(address);
    ASSERT_FALSE(refused.ok()) << address;
    EXPECT_EQ(refused.status().message(), why) << address;
  }
}

}  // namespace
}  // namespace pcap_gateway
