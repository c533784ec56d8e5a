#include "service/source/credential.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <type_traits>

namespace pcap_gateway {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr auto kGateway = Credential::Owner::kGateway;
constexpr auto kCaller = Credential::Owner::kCaller;

constexpr char kToken[] = "canary-token-that-opens-nothing";
constexpr char kKey[] = "canary0key0that0opens0nothing0";

TEST(Credential, OfATokenIsABearerHeader) {
  const auto credential = Credential::FromToken(kCaller, kToken);
  ASSERT_TRUE(credential.ok());
  EXPECT_EQ((*credential)->owner(), kCaller);
  EXPECT_THAT((*credential)->header_lines(),
              ElementsAre("Authorization: Bearer canary-token-that-opens-nothing"));
}

TEST(Credential, OfEmailAndKeyIsTwoHeaders) {
  const auto credential = Credential::FromEmailAndKey(kGateway, "me@example.com", kKey);
  ASSERT_TRUE(credential.ok());
  EXPECT_EQ((*credential)->owner(), kGateway);
  EXPECT_THAT(
      (*credential)->header_lines(),
      ElementsAre("X-Auth-Email: me@example.com", "X-Auth-Key: canary0key0that0opens0nothing0"));
}

// A token file ends with a line break.
TEST(Credential, LosesTheWhiteSpaceAroundIt) {
  const auto plain = Credential::FromToken(kGateway, kToken).value();
  for (const char* around : {"\n", "\r\n", " ", "\t", " \n\n"}) {
    const auto spaced = Credential::FromToken(kGateway, std::string(around) + kToken + around);
    ASSERT_TRUE(spaced.ok()) << testing::PrintToString(around);
    EXPECT_EQ((*spaced)->header_lines(), plain->header_lines());
    EXPECT_EQ((*spaced)->partition(), plain->partition());
  }
  const auto key = Credential::FromEmailAndKey(kGateway, " me@example.com\n", "\tkey ");
  EXPECT_THAT(key.value()->header_lines(),
              ElementsAre("X-Auth-Email: me@example.com", "X-Auth-Key: key"));
}

// Each byte that is not printable ASCII could end the header, or begin another one.
TEST(Credential, HasNothingButPrintableAsciiInside) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string secret = std::string("canary") + static_cast<char>(byte) + "canary";
    const bool printable = byte > ' ' && byte < 0x7f;
    EXPECT_EQ(Credential::FromToken(kCaller, secret).ok(), printable) << byte;
    EXPECT_EQ(Credential::FromEmailAndKey(kCaller, secret, "key").ok(), printable) << byte;
    EXPECT_EQ(Credential::FromEmailAndKey(kCaller, "email", secret).ok(), printable) << byte;
  }
}

TEST(Credential, IsNeitherEmptyNorLongerThan4KiB) {
  for (const std::string& secret : {std::string(), std::string(" \n"), std::string(4097, 'c')}) {
    for (const auto& credential : {Credential::FromToken(kCaller, secret),
                                   Credential::FromEmailAndKey(kCaller, secret, "key"),
                                   Credential::FromEmailAndKey(kCaller, "email", secret)}) {
      EXPECT_EQ(credential.status().code(), absl::StatusCode::kInvalidArgument) << secret.size();
    }
  }
  EXPECT_TRUE(Credential::FromToken(kCaller, std::string(4096, 'c')).ok());
}

TEST(Credential, AnErrorSaysWhichPartItIsAndNeverRepeatsIt) {
  const std::string bad = "canary\ncanary";
  EXPECT_THAT(Credential::FromToken(kCaller, bad).status().message(),
              AllOf(HasSubstr("API token"), Not(HasSubstr("canary"))));
  EXPECT_THAT(Credential::FromEmailAndKey(kCaller, bad, "key").status().message(),
              AllOf(HasSubstr("email"), Not(HasSubstr("canary"))));
  EXPECT_THAT(Credential::FromEmailAndKey(kCaller, "email", bad).status().message(),
              AllOf(HasSubstr("API key"), Not(HasSubstr("canary"))));
}

TEST(Credential, OpensAPartitionOfItsOwn) {
  const auto token = [](const std::string& text) {
    return Credential::FromToken(kCaller, text).value()->partition();
  };
  const auto key = [](const std::string& email, const std::string& text) {
    return Credential::FromEmailAndKey(kCaller, email, text).value()->partition();
  };
  // Where one part ends and the next begins counts, and so does the kind.
  const std::set<Partition> different = {token("a"),     token("b"),      token("ab"),
                                         key("a", "b"),  key("ab", "c"),  key("a", "bc"),
                                         key("b", "a"),  key("a", "1/b"), key("a/1", "b"),
                                         token("a/1/b"), token("a/")};
  EXPECT_EQ(different.size(), 11u);
  EXPECT_EQ(token("a"), token("a"));
  EXPECT_EQ(key("a", "b"), key("a", "b"));
}

// The same token brought by a caller or by the gateway sees the same captures.
TEST(Credential, OpensTheSamePartitionWhoeverItsOwnerIs) {
  EXPECT_EQ(Credential::FromToken(kCaller, kToken).value()->partition(),
            Credential::FromToken(kGateway, kToken).value()->partition());
}

// A change here makes every shared cache cold: the tier behind several replicas is keyed by it.
TEST(Credential, PartitionStaysTheSameBetweenVersions) {
  const Partition expected = {0x06, 0xd9, 0xf5, 0xc9, 0x58, 0x53, 0x32, 0x02,
                              0x6f, 0x37, 0xa5, 0x78, 0xca, 0x33, 0xd4, 0x65};
  EXPECT_EQ(Credential::FromToken(kCaller, "a-token").value()->partition(), expected);
}

TEST(Credential, TakesItselfOutOfATextThatRepeatsIt) {
  std::string text = std::string("bad token ") + kToken + ", I say " + kToken;
  Credential::FromToken(kCaller, kToken).value()->RedactFrom(text);
  EXPECT_EQ(text, "bad token REDACTED, I say REDACTED");

  text = std::string("key=") + kKey + "&email=me@example.com";
  Credential::FromEmailAndKey(kCaller, "me@example.com", kKey).value()->RedactFrom(text);
  EXPECT_EQ(text, "key=REDACTED&email=REDACTED");
}

TEST(Credential, LeavesOtherTextsAlone) {
  std::string text = "nothing to hide";
  Credential::FromToken(kCaller, kToken).value()->RedactFrom(text);
  EXPECT_EQ(text, "nothing to hide");
  // No real one is so short, and it may be part of any word.
  Credential::FromToken(kCaller, "hide").value()->RedactFrom(text);
  EXPECT_EQ(text, "nothing to hide");
}

// A log line that is given one does not compile.
TEST(Credential, CannotBeCopiedIntoText) {
  EXPECT_FALSE((std::is_convertible_v<Credential, std::string>));
  EXPECT_FALSE(std::is_copy_assignable_v<Credential>);
}

}  // namespace
}  // namespace pcap_gateway
