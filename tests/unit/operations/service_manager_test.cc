#include "service/operations/service_manager.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace pcap_gateway {
namespace {

// Listens in systemd's place, in the abstract namespace.
class ServiceManagerTest : public testing::Test {
 protected:
  ServiceManagerTest() {
    const std::string name = absl::StrCat("pcap-gateway-test-", getpid());
    sockaddr_un address{.sun_family = AF_UNIX};
    std::memcpy(address.sun_path + 1, name.data(), name.size());  // behind a 0
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    setenv("NOTIFY_SOCKET", absl::StrCat("@", name).c_str(), 1);
  }

  ~ServiceManagerTest() override {
    close(socket_);
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }

  // What was told; empty: nothing.
  std::string Heard() const {
    char text[1024];
    const ssize_t size = recv(socket_, text, sizeof(text), MSG_DONTWAIT);
    return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
  }

  const int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const ServiceManager manager_{};
};

TEST_F(ServiceManagerTest, TellsReadiness) {
  manager_.Ready("serving on 127.0.0.1:1");
  EXPECT_EQ(Heard(), "READY=1\nSTATUS=serving on 127.0.0.1:1");
}

TEST_F(ServiceManagerTest, TellsOfAReloadByTheMonotonicClock) {
  timespec before{};
  clock_gettime(CLOCK_MONOTONIC, &before);
  manager_.Reloading();
  const std::string heard = Heard();
  long long told = 0;
  ASSERT_EQ(std::sscanf(heard.c_str(), "RELOADING=1\nMONOTONIC_USEC=%lld\n", &told), 1) << heard;
  EXPECT_GE(told, absl::ToInt64Microseconds(absl::DurationFromTimespec(before)));
  EXPECT_TRUE(absl::EndsWith(heard, "\nSTATUS=reloading"));
}

TEST_F(ServiceManagerTest, TellsOfTheEndAndHowLongItTakes) {
  manager_.Stopping("draining", absl::Milliseconds(1500));
  EXPECT_EQ(Heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=draining");
}

TEST_F(ServiceManagerTest, FeedsTheWatchdog) {
  manager_.Alive();
  EXPECT_EQ(Heard(), "WATCHDOG=1");
}

TEST_F(ServiceManagerTest, WithoutAManagerNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  manager_.Ready("serving");
  manager_.Alive();
  EXPECT_EQ(Heard(), "");
}

TEST_F(ServiceManagerTest, TheWatchdogsLimitIsTheManagers) {
  EXPECT_EQ(ServiceManager::watchdog_limit(), absl::InfiniteDuration());
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(ServiceManager::watchdog_limit(), absl::Seconds(30));
  setenv("WATCHDOG_PID", absl::StrCat(getpid()).c_str(), 1);
  EXPECT_EQ(ServiceManager::watchdog_limit(), absl::Seconds(30));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(ServiceManager::watchdog_limit(), absl::InfiniteDuration());
}

TEST_F(ServiceManagerTest, AWatchdogsLimitThatIsNoneIsNone) {
  for (const char* value : {"", "soon", "-1", "0"}) {
    setenv("WATCHDOG_USEC", value, 1);
    EXPECT_EQ(ServiceManager::watchdog_limit(), absl::InfiniteDuration()) << value;
  }
}

}  // namespace
}  // namespace pcap_gateway
