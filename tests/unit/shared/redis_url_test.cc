#include "service/shared/redis_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/shared/redis_tls.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

// HOST PORT PATH USER PASSWORD DATABASE, or what is wrong.
std::string Read(const std::string& text) {
  const auto url = RedisUrlFrom(text);
  if (!url.ok()) return std::string(url.status().message());
  return url->host + " " + std::to_string(url->port) + " " + url->path + " " + url->user + " " +
         url->password + " " + std::to_string(url->database);
}

TEST(RedisUrl, NamesAHost) {
  EXPECT_EQ(Read("redis://cache"), "cache 6379    0");
  EXPECT_EQ(Read("redis://127.0.0.1:7000/3"), "127.0.0.1 7000    3");
  EXPECT_EQ(Read("redis://[::1]:7000"), "::1 7000    0");
  EXPECT_EQ(Read("redis://[::1]/"), "::1 6379    0");
}

TEST(RedisUrl, NamesASocket) {
  EXPECT_EQ(Read("unix:///run/redis.sock"), " 6379 /run/redis.sock   0");
  EXPECT_EQ(Read("unix://:secret@/run/a%20b?db=2"), " 6379 /run/a b  secret 2");
}

TEST(RedisUrl, MayCarryALogin) {
  EXPECT_EQ(Read("redis://:secret@cache"), "cache 6379   secret 0");
  EXPECT_EQ(Read("redis://me:s%40c/r%3Aet@cache/1"), "cache 6379  me s@c/r:et 1");
}

TEST(RedisUrl, IsNothingElseAndItsErrorRepeatsNothing) {
  for (const char* text : {"",
                           "cache",
                           "cache:6379",
                           "redis:cache",
                           "redis://",
                           "redis://:canary@",
                           "http://canary",
                           "redis://canary:0",
                           "redis://canary:65536",
                           "redis://canary:x",
                           "redis://canary/x",
                           "redis://canary/-1",
                           "redis://can ary",
                           "redis://canary\n",
                           "redis://canary@cache",
                           "redis://u:%4@canary",
                           "redis://u:%00canary@cache",
                           "redis://u:@canary",
                           "unix://canary",
                           "unix://",
                           "unix:///canary?db=x",
                           "redis://[canary",
                           "redis://[canary]",
                           "redis://canary?db=1",
                           "rediss://canary@cache"}) {
    const std::string read = Read(text);
    EXPECT_THAT(read, HasSubstr("redis://")) << text;
    EXPECT_THAT(read, Not(HasSubstr("canary"))) << text;
  }
  EXPECT_FALSE(RedisUrlFrom("unix:///" + std::string(108, 'x')).ok());
}

TEST(RedisUrl, SaysTlsWhereThisBuildHasIt) {
  EXPECT_FALSE(RedisUrlFrom("redis://cache")->tls);
  const auto url = RedisUrlFrom("rediss://u:canary@cache:6380/2");
  EXPECT_EQ(url.ok(), HasRedisTls());
  if (HasRedisTls()) {
    EXPECT_TRUE(url->tls);
    EXPECT_EQ(url->host, "cache");
    EXPECT_EQ(url->port, 6380);
    EXPECT_EQ(url->database, 2);
  } else {
    EXPECT_THAT(url.status().message(),
                HasSubstr("rediss:// (TLS) is not supported by this build"));
    EXPECT_THAT(url.status().message(), Not(HasSubstr("canary")));
  }
}

}  // namespace
}  // namespace pcap_gateway
