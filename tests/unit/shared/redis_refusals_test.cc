#include "service/shared/redis_refusals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string KindOf(absl::string_view error) {
  const auto refusal = RedisRefusalIn(error);
  return refusal.has_value() ? std::string(kRedisRefusals[*refusal]) : "";
}

TEST(RedisRefusals, AreKnownByTheFirstWord) {
  EXPECT_EQ(KindOf("READONLY You can't write against a read only replica."), "READONLY");
  EXPECT_EQ(KindOf("READONLY You can't write … script: f_1, on @user_script:1."), "READONLY");
  EXPECT_EQ(KindOf("-OOM command not allowed when used memory > 'maxmemory'."), "OOM");
  EXPECT_EQ(KindOf("MOVED 3999 127.0.0.1:6381"), "MOVED");
  EXPECT_EQ(KindOf("LOADING\r\n"), "LOADING");
}

TEST(RedisRefusals, AreKnownInWhatRedis6SaysOfAScript) {
  EXPECT_EQ(KindOf("ERR Error running script (call to f_5a1): @user_script:2: @user_script: 2: "
                   "-READONLY You can't write against a read only replica."),
            "READONLY");
}

TEST(RedisRefusals, AreKnownInWhatRedis8SaysOfAScript) {
  EXPECT_EQ(KindOf("ERR ACL failure in script: User x has no permissions to run the 'hset' command "
                   "script: 8fc1, on @user_script:1."),
            "NOPERM");
}

TEST(RedisRefusals, AreNotWhatIsAboutTheCommandAlone) {
  for (const char* error : {"", "-", "ERR syntax error", "NOSCRIPT No matching script.", "other",
                            "WRONGTYPE Operation against a key", "READONLYISH", "ERR READONLY"}) {
    EXPECT_EQ(KindOf(error), "") << error;
  }
}

TEST(RedisRefusals, AreToldWithWhatToDoAboutThem) {
  EXPECT_EQ(
      TellRedisRefusal("NOPERM this user has no permissions to run the 'eval' command", "EVAL"),
      "it says NOPERM: its user may not use EVAL");
  EXPECT_EQ(TellRedisRefusal("NOPERM ACL failure in script: User x has no permissions to run the "
                             "'hset' command",
                             "EVALSHA"),
            "it says NOPERM: its user may not use HSET");
  EXPECT_EQ(TellRedisRefusal("ERR ACL failure in script: User x has no permissions to run the "
                             "'hset' command script: 8fc1, on @user_script:12.",
                             "EVALSHA"),
            "it says NOPERM: its user may not use HSET");
  EXPECT_EQ(TellRedisRefusal("ERR The user executing the script can't run this command or "
                             "subcommand script: 8fc1, on @user_script:12.",
                             "EVAL"),
            "it says NOPERM: its user may not use all that scripts do");
  EXPECT_EQ(TellRedisRefusal("NOPERM No permissions to access a key", "SET"),
            "it says NOPERM: its user may not use keys that begin with pcap-gateway:");
  EXPECT_THAT(TellRedisRefusal("MOVED 1 10.0.0.1:1", "GETRANGE"),
              HasSubstr("a cluster of several nodes is not supported"));
  EXPECT_EQ(TellRedisRefusal("ERR unknown command 'EVAL', with args beginning with: ", "EVAL"),
            "it says ERR: it does not know EVAL");
}

TEST(RedisRefusals, RepeatNothingOfWhatWasSent) {
  EXPECT_EQ(TellRedisRefusal("ERR canary", "AUTH"), "it says ERR: to AUTH");
  EXPECT_EQ(TellRedisRefusal("NOPERM run the 'canary 1' command", "SET"),
            "it says NOPERM: its user may not use SET");
  EXPECT_EQ(TellRedisRefusal(std::string(1000, 'X'), "SET").size(),
            std::string("it says : to SET").size() + 32);
  // Who asked for the same with another command was told already.
  EXPECT_THAT(TellRedisRefusal("READONLY x", "SET"), StartsWith("it says READONLY: "));
}

}  // namespace
}  // namespace pcap_gateway
