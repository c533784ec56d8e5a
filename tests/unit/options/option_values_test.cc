#include "service/option_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <string>

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Bytes, AreANumberWithOrWithoutAUnit) {
  const struct {
    const char* text;
    int64_t bytes;
  } rows[] = {
      {"0", 0},
      {"1", 1},
      {"1048576", 1 << 20},
      {"7B", 7},
      {"1K", 1024},
      {"1KiB", 1024},
      {"1KB", 1000},
      {"64MiB", 64 << 20},
      {"64 MiB", 64 << 20},
      {"64MB", 64'000'000},
      {"64mib", 64 << 20},
      {"64mb", 64'000'000},
      {"1G", 1 << 30},
      {"1Gi", 1 << 30},
      {"2T", int64_t{2} << 40},
      {"9223372036854775807", std::numeric_limits<int64_t>::max()},
  };
  for (const auto& row : rows) {
    const auto bytes = BytesFrom(row.text);
    ASSERT_TRUE(bytes.ok()) << row.text << bytes.status();
    EXPECT_EQ(*bytes, row.bytes) << row.text;
  }
}

TEST(Bytes, AreNothingElse) {
  for (const char* text : {"", " ", "-1", "+1", "1.5M", "10XB", "MiB", "lots", "1 2", "0x10", "1e6",
                           "1MiBs", "1bb", "64 M iB"}) {
    EXPECT_FALSE(BytesFrom(text).ok()) << text;
  }
}

TEST(Fraction, IsADecimalNumberFromZeroToOne) {
  EXPECT_EQ(*FractionFrom("0"), 0);
  EXPECT_EQ(*FractionFrom("0.01"), 0.01);
  EXPECT_EQ(*FractionFrom(".5"), 0.5);
  EXPECT_EQ(*FractionFrom("1.0"), 1);
  for (const char* text : {"", " ", ".", "-0", "-0.1", "1.0001", "2", "nan", "inf", "1e-2",
                           "0x1p-2", "1/2", "1%", "0.0.1", "half"}) {
    EXPECT_FALSE(FractionFrom(text).ok()) << text;
  }
}

TEST(Bytes, ThatOverflowAreRefused) {
  for (const char* text : {"9223372036854775808", "99999999999999999999", "9223372036854775807K",
                           "8388608T", "18446744073709551616M"}) {
    EXPECT_FALSE(BytesFrom(text).ok()) << text;
  }
  EXPECT_TRUE(BytesFrom("8388607T").ok());
}

TEST(Duration, HasAUnit) {
  EXPECT_EQ(*DurationFrom("30s", absl::ZeroDuration()), absl::Seconds(30));
  EXPECT_EQ(*DurationFrom("1m", absl::ZeroDuration()), absl::Minutes(1));
  EXPECT_EQ(*DurationFrom("250ms", absl::ZeroDuration()), absl::Milliseconds(250));
  EXPECT_EQ(*DurationFrom("1h30m", absl::ZeroDuration()), absl::Minutes(90));
  EXPECT_EQ(*DurationFrom("24h", absl::ZeroDuration()), absl::Hours(24));
  for (const char* text : {"30", "", "soon", "s", "30 s", "30sec", "1d"}) {
    const auto duration = DurationFrom(text, absl::ZeroDuration());
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_THAT(duration.status().message(), HasSubstr("unit")) << text;
  }
}

TEST(Duration, StaysWithinItsBounds) {
  constexpr absl::Duration kLeast = absl::Milliseconds(1);
  EXPECT_TRUE(DurationFrom("1ms", kLeast).ok());
  for (const char* text : {"0s", "999us", "-1s", "24h1ns", "1000h", "inf", "-inf"}) {
    const auto duration = DurationFrom(text, kLeast);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_THAT(duration.status().message(), HasSubstr("from 1ms to 24h")) << text;
  }
  EXPECT_TRUE(DurationFrom("0s", absl::ZeroDuration()).ok());
}

TEST(HostAndPort, AreTakenAsServersTakeThem) {
  for (const char* text : {"127.0.0.1:0", "127.0.0.1:65535", "[::1]:0", "[::]:50051",
                           "localhost:80", "0.0.0.0:50051", "a-b.example_1.com:1"}) {
    EXPECT_TRUE(CheckHostAndPort(text).ok()) << text;
  }
  for (const char* text : {"",
                           ":",
                           ":80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:99999999999",
                           "127.0.0.1:-1",
                           "127.0.0.1:+1",
                           "127.0.0.1: 1",
                           "127.0.0.1:80s",
                           "127.0.0.1:http",
                           "::1:0",
                           "[::1]",
                           "[::1]0",
                           "[::1",
                           "[]:0",
                           "[127.0.0.1]:0",
                           "[x]:0",
                           "a b:0",
                           "a,b:0",
                           "a:1,b:2",
                           "http://a:1",
                           "a/b:1",
                           "a\n:1",
                           "a@b:1"}) {
    EXPECT_FALSE(CheckHostAndPort(text).ok()) << text;
  }
}

TEST(BaseUrl, IsHttpsWithAHost) {
  for (const char* text : {"https://api.cloudflare.com/client/v4", "https://api.cloudflare.com",
                           "https://api.cloudflare.com:8443/client/v4", "HTTPS://a/b",
                           "https://[::1]:1/a", "https://192.0.2.1/a", "https://a/b%20c"}) {
    const auto url = BaseUrlFrom(text, false);
    ASSERT_TRUE(url.ok()) << text << url.status();
    EXPECT_EQ(*url, text);
  }
}

TEST(BaseUrl, LosesTheSlashesAtItsEnd) {
  EXPECT_EQ(*BaseUrlFrom("https://a/b/", false), "https://a/b");
  EXPECT_EQ(*BaseUrlFrom("https://a//", false), "https://a");
}

TEST(BaseUrl, IsNothingElse) {
  for (const char* text : {"",
                           "/",
                           "https:",
                           "https://",
                           "https:///a",
                           "https://:1/a",
                           "https://a:/b",
                           "https://a:99999/b",
                           "https://a:b/c",
                           "https://a b/",
                           "https://a/ b",
                           "https://a/b?c=d",
                           "https://a/b#c",
                           "https://a?b",
                           "https://a\\b",
                           "https://a/\\b",
                           "https://a/\n",
                           "https://a\r\n/b",
                           "https://a/\x7f",
                           "https://\xc3\xa4/",
                           "https://[::1/a",
                           "https://[x]/",
                           "ftp://a/b",
                           "file:///etc/passwd",
                           "api.cloudflare.com",
                           "nonsense",
                           " https://a/b",
                           "javascript://a"}) {
    EXPECT_FALSE(BaseUrlFrom(text, true).ok()) << text;
  }
}

TEST(BaseUrl, CarriesNoUserNameAndAnErrorDoesNotRepeatIt) {
  for (const char* text :
       {"https://canary:canary@a/b", "https://canary@a", "http://canary@[::1]/"}) {
    const auto url = BaseUrlFrom(text, true);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_THAT(url.status().message(), Not(HasSubstr("canary")));
  }
}

TEST(BaseUrl, MayBePlainHttpOnThisMachine) {
  for (const char* text : {"http://127.0.0.1:1/client/v4", "http://127.1.2.3/a", "http://[::1]:1/a",
                           "http://localhost:1", "http://LOCALHOST/a", "HTTP://127.0.0.1"}) {
    EXPECT_TRUE(BaseUrlFrom(text, false).ok()) << text;
  }
}

TEST(BaseUrl, IsPlainHttpToAnotherMachineOnlyWhereAllowed) {
  for (const char* text :
       {"http://api.cloudflare.com/client/v4", "http://192.0.2.1/a", "http://[2001:db8::1]/a",
        "http://127.example.com/a", "http://127.0.0.1.example.com/", "http://localhost.example/",
        "http://0.0.0.0/", "http://[::]/", "http://127.0.0.1x/"}) {
    EXPECT_FALSE(BaseUrlFrom(text, false).ok()) << text;
    EXPECT_TRUE(BaseUrlFrom(text, true).ok()) << text;
  }
}

TEST(ProxyUrl, HasASchemeAndAHost) {
  for (const char* text :
       {"http://proxy:3128", "https://proxy", "socks5h://[::1]:1080", "socks4a://127.0.0.1:1/",
        "http://user:p%40ss@proxy:1", "HTTP://proxy"}) {
    EXPECT_TRUE(CheckProxyUrl(text).ok()) << text;
  }
  for (const char* text :
       {"proxy:3128", "://proxy", "ftp://proxy", "http://", "http://:1", "http://proxy:99999",
        "http://proxy/path", "http://proxy?x", "http://pro xy", "http://user@", "http://a\n"}) {
    EXPECT_FALSE(CheckProxyUrl(text).ok()) << text;
  }
}

TEST(ProxyUrl, IsNotRepeated) {
  EXPECT_THAT(CheckProxyUrl("zzz://user:canary@proxy").message(), Not(HasSubstr("canary")));
}

TEST(Content, IsAllThatTheFileHolds) {
  const std::string path = testing::TempDir() + "content." + std::to_string(getpid());
  const std::string bytes("a\0b\n", 4);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(*ContentOf(path, 4), bytes);
  EXPECT_EQ(ContentOf(path, 3).status().message(), "holds more than 3 bytes");
  std::remove(path.c_str());
  EXPECT_THAT(ContentOf(path, 4).status().message(), HasSubstr("No such file"));
}

TEST(Content, OfADirectoryCannotBeRead) {
  EXPECT_THAT(ContentOf("/", 4).status().message(), HasSubstr("directory"));
}

TEST(Content, OfAnEndlessFileIsTooMuch) { EXPECT_FALSE(ContentOf("/dev/zero", 1 << 16).ok()); }

}  // namespace
}  // namespace pcap_gateway
