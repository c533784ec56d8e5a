#include "service/rpc/awaited_peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace pcap_gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AwaitedPeersTest : public testing::Test {
 protected:
  class Peer final : public AwaitedPeer {
   public:
    Peer(AwaitedPeersTest& test, std::string name, std::string connection)
        : test_(test), name_(std::move(name)), connection_(std::move(connection)) {}

   private:
    std::string Connection() const override { return connection_; }
    void GiveUp(Why) override { test_.given_up_.push_back(name_); }

    AwaitedPeersTest& test_;
    const std::string name_;
    const std::string connection_;
  };

  // As a call does that arrives.
  void Arrive(const std::string& name, const std::string& connection) {
    peers_.MakeRoom();
    peers_.Add(arrived_.emplace_back(*this, name, connection), {});
  }

  AwaitedPeers peers_{8, std::chrono::seconds(10)};  // room for four that are waited for
  std::deque<Peer> arrived_;
  std::vector<std::string> given_up_;
};

TEST_F(AwaitedPeersTest, NobodyGivesWayWhileThereIsRoom) {
  for (const char* const name : {"1", "2", "3", "4"}) Arrive(name, "flood");
  EXPECT_THAT(given_up_, IsEmpty());
}

TEST_F(AwaitedPeersTest, TheOldestOfTheConnectionWithMostGivesWay) {
  Arrive("bystander", "a");
  for (const char* const name : {"1", "2", "3", "4", "5"}) Arrive(name, "flood");
  EXPECT_THAT(given_up_, ElementsAre("1", "2"));
}

TEST_F(AwaitedPeersTest, TheOldestGivesWayWhereNoConnectionHasMore) {
  Arrive("a", "a");
  Arrive("b 1", "b");
  Arrive("b 2", "b");
  Arrive("a 2", "a");
  Arrive("c", "c");
  EXPECT_THAT(given_up_, ElementsAre("a"));
}

// Looking at each of ten thousand would cost more than what they hold.
TEST_F(AwaitedPeersTest, OnlyTheOldestFewAreLookedAt) {
  AwaitedPeers many(80, std::chrono::seconds(10));
  for (int i = 0; i < 16; ++i) {
    many.Add(arrived_.emplace_back(*this, std::to_string(i), std::to_string(i)), {});
  }
  for (int i = 0; i < 24; ++i) many.Add(arrived_.emplace_back(*this, "flood", "flood"), {});
  many.MakeRoom();
  EXPECT_THAT(given_up_, ElementsAre("0"));
}

}  // namespace
}  // namespace pcap_gateway
