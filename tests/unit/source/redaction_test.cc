#include "service/source/redaction.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pcap_gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Case {
  std::string in;
  std::string out;
};

TEST(RedactDestination, HidesWhatIsNotRegionOrAccount) {
  const std::vector<Case> cases = {
      {"r2://pcaps?account-id=023e&access-key-id=AKIA&secret-access-key=s3cr3t",
       "r2://pcaps?account-id=023e&access-key-id=REDACTED&secret-access-key=REDACTED"},
      {"s3://b/dir?region=us-east-1", "s3://b/dir?region=us-east-1"},
      {"gs://b/dir", "gs://b/dir"},
      {"", ""},
      {"s3://b?x=1", "s3://b?x=REDACTED"},
      // Names are kept as they are, however they are written.
      {"r2://b?Secret-Access-Key=k", "r2://b?Secret-Access-Key=REDACTED"},
      {"r2://b?secret%2Daccess%2dkey=k", "r2://b?secret%2Daccess%2dkey=REDACTED"},
      {"r2://b?a[0]=k", "r2://b?a[0]=REDACTED"},
      // Only the exact names are shown, and only plain values.
      {"r2://b?Region=k&REGION=k&regio%6e=k",
       "r2://b?Region=REDACTED&REGION=REDACTED&regio%6e=REDACTED"},
      {"r2://b?region=a+b", "r2://b?region=REDACTED"},
      {"r2://b?region=auto;secret-access-key=k", "r2://b?region=REDACTED"},
      {"r2://b?region=auto,r2://c?secret-access-key=k", "r2://b?region=REDACTED"},
      {"r2://b?account-id=a%26secret-access-key=k", "r2://b?account-id=REDACTED"},
      // Parameters without a value.
      {"r2://b?account-id&access-key-id&secret-access-key",
       "r2://b?account-id&access-key-id&secret-access-key"},
      {"r2://b?s3cr3t", "r2://b?REDACTED"},
      {"r2://b?s3cr3t==&region=x", "r2://b?REDACTED&region=x"},
      {"r2://b?secret-access-key=", "r2://b?secret-access-key="},
      {"r2://b?", "r2://b?"},
      {"r2://b?&&=k&", "r2://b?&&=REDACTED&"},
      {"r2://b?a=k=k==", "r2://b?a=REDACTED"},
      {"r2://b?x?y=k", "r2://b?REDACTED"},
      {"r2://b?r2://u:p@c?a=k", "r2://b?REDACTED"},
      {"r2://b?a=k with spaces and \"quotes\"", "r2://b?a=REDACTED"},
      {"r2://b?a=k\nregion=x", "r2://b?a=REDACTED"},
      // Fragments.
      {"r2://b#k", "r2://b#REDACTED"},
      {"r2://b?a=k#k", "r2://b?a=REDACTED#REDACTED"},
      {"r2://b#", "r2://b#"},
      {"r2://b#k?region=x", "r2://b#REDACTED"},
      // User and password.
      {"user:k@b/x=s3://c", "REDACTED@b/x=s3://c"},
      {"s3://AKIA:s3cr3t@b/dir", "s3://REDACTED@b/dir"},
      {"s3://s3cr3t@b?region=x", "s3://REDACTED@b?region=x"},
      {"s3://AKIA:s3/cr3t@b/dir", "s3://REDACTED@b/dir"},
      {"s3://AKIA:/s3cr3t@b/dir", "s3://REDACTED@b/dir"},
      {"s3://AKIA:s3?cr3t@b", "s3://REDACTED?REDACTED"},
      {"s3://b:443/dir", "s3://b:443/dir"},
      {"s3://b/dir@2x", "s3://b/dir@2x"},
      {"AKIA:s3cr3t@b/dir", "REDACTED@b/dir"},
      {"AKIA:s3cr3t@b/secret-access-key=k", "REDACTED@b/secret-access-key=REDACTED"},
      // No scheme, no question mark, or an encoded one.
      {"pcaps?secret-access-key=k", "pcaps?secret-access-key=REDACTED"},
      {"pcaps&secret-access-key=k&region=x", "pcaps&secret-access-key=REDACTED&region=x"},
      {"r2://b%3Fsecret-access-key%3Dk", "r2://b%3FREDACTED"},
      {"r2%3A%2F%2Fb%3fsecret-access-key%3dk", "r2%3A%2F%2Fb%3fREDACTED"},
  };
  for (const Case& c : cases) EXPECT_EQ(RedactDestination(c.in), c.out) << c.in;
}

TEST(RedactText, HidesAllOfAValueInQuotes) {
  EXPECT_EQ(RedactText(R"(password="a b" c)"), R"(password="REDACTED" c)");
  EXPECT_EQ(RedactText(R"({"password": "a \"b c", "x": 1})"),
            R"({"password": "REDACTED", "x": 1})");
  EXPECT_EQ(RedactText(R"("authorization": "Bearer a b" c)"),
            R"("authorization": "Bearer REDACTED" c)");
  EXPECT_EQ(RedactText("password='a b"), "password='REDACTED b");
  EXPECT_EQ(RedactText("password='a secret=\"b c\""), "password='REDACTED secret=\"REDACTED\"");
}

TEST(RedactText, HidesInUrisWithinASentence) {
  const std::vector<Case> cases = {
      {"cannot write to r2://b?secret-access-key=k: denied",
       "cannot write to r2://b?secret-access-key=REDACTED denied"},
      {"put \"s3://b?x=k&region=eu\" failed", "put \"s3://b?x=REDACTED&region=eu\" failed"},
      {"'s3://u:p@b/d', 's3://c/d'", "'s3://REDACTED@b/d', 's3://c/d'"},
      {"see https://b:443: it is up.", "see https://b:443: it is up."},
      {"http://[::1]:80/x", "http://[::1]:80/x"},
      {"http://a/http://u:p@b?c=k d", "http://a/http://REDACTED@b?c=REDACTED d"},
      {"r2://b?a=\"k\"&c=k d", "r2://b?a=REDACTED&c=REDACTED d"},
      {"r2://b?a=\"k k\" d", "r2://b?a=REDACTED d"},
      {"r2://b?s3cr3t==: no", "r2://b?REDACTED no"},
      {"\"r2://b?s3cr3t==\"", "\"r2://b?REDACTED"},
      {"(r2://b#k)", "(r2://b#REDACTED"},
      {"is it? yes # no: a=b", "is it? yes # no: a=b"},
  };
  for (const Case& c : cases) EXPECT_EQ(RedactText(c.in), c.out) << c.in;
}

TEST(RedactText, HidesWhatFollowsTheNameOfASecret) {
  const std::vector<Case> cases = {
      {"secret-access-key=k and so on", "secret-access-key=REDACTED and so on"},
      {"access-key-id=k&secret-access-key=k&region=eu&x=k",
       "access-key-id=REDACTED&secret-access-key=REDACTED&region=eu&x=REDACTED"},
      {"SECRET_ACCESS_KEY = 'k'", "SECRET_ACCESS_KEY = 'REDACTED'"},
      {R"({"secretAccessKey":"k","region":"eu"})",
       R"({"secretAccessKey":"REDACTED","region":"eu"})"},
      {R"({\"access-key-id\": \"k\"})", R"({\"access-key-id\": \"REDACTED"})"},
      {"secret%2Daccess%2Dkey%3Dk x", "secret%2Daccess%2Dkey%3DREDACTED x"},
      {"my Secret Access Key: k", "my Secret Access Key: REDACTED"},
      {"password => k", "password => REDACTED"},
      {"Authorization: Bearer k k", "Authorization: Bearer REDACTED k"},
      {"X-Auth-Key: k", "X-Auth-Key: REDACTED"},
      {"r2://b/secret-access-key=k?a=k c", "r2://b/secret-access-key=REDACTED c"},
      {"secret-access-key=", "secret-access-key="},
      {"the secret-access-key is wrong", "the secret-access-key is wrong"},
      {"monkey=1, keyboard: 2, 10:20:30", "monkey=1, keyboard: 2, 10:20:30"},
  };
  for (const Case& c : cases) EXPECT_EQ(RedactText(c.in), c.out) << c.in;
}

TEST(RedactText, LeavesOrdinaryTextAlone) {
  for (const std::string text :
       {"", "66802ca5668e47a2b82c2e6746e45037", "2001:db8::1", "10.0.0.0/8", "100 % of 3#",
        "2020-01-01T08:00:00Z", "50%3", "a://", "://", "caf\xC3\xA9: \xF0\x9F\x98\x80?"}) {
    EXPECT_EQ(RedactText(text), text);
  }
  const std::string nul("a\0b=c", 5);
  EXPECT_EQ(RedactText(nul), nul);
}

TEST(RedactText, HidesASecretWhateverStandsAroundIt) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  const std::vector<std::string> words = {"://",    "r2",         "b",      "?",
                                          "#",      "&",          "=",      "secret-access-key",
                                          "region", "account-id", "/",      "@",
                                          ":",      " ",          "\"",     "'",
                                          "%3F",    "%3D",        "Bearer", "Authorization",
                                          ";",      ",",          "\\",     "[",
                                          "]",      "<",          ">",      "%",
                                          "1",      "\xC3\xA9"};
  const auto any = [&] {
    std::string text;
    for (auto left = random() % 8; left > 0; --left) text += words[random() % words.size()];
    return text;
  };
  for (int round = 0; round < 20'000; ++round) {
    for (const std::string secret :
         {"secret-access-key=CANARY", " r2://b?x=CANARY", " r2://b#CANARY", " s3://AKIA:CANARY@b",
          " r2://b?region=eu&secret-access-key=CANARY"}) {
      const std::string text = any() + secret + any();
      ASSERT_THAT(RedactText(text), Not(HasSubstr("CANARY"))) << text;
      ASSERT_THAT(RedactDestination(text), Not(HasSubstr("CANARY"))) << text;
    }
  }
}

TEST(RedactText, FindsNothingMoreToHideTheSecondTime) {
  for (const std::string text :
       {"r2://u:p@b?a=k&region=eu#k", "secret: k, r2://b?k", "s3://AKIA:s3/cr3t@b/dir x",
        "Authorization: Basic k", "r2://b%3Fk", "access-key-id=k&x=k", "a://b:c/d://e:f@g?h"}) {
    const std::string once = RedactText(text);
    EXPECT_EQ(RedactText(once), once) << text;
  }
}

TEST(IsSecretName, LooksAtLettersAndDigitsOnly) {
  for (const std::string name :
       {"secret-access-key", "SecretAccessKey", "SECRET_ACCESS_KEY", "x-secret access key",
        "access-key-id", "r2.access%2Dkey%5Fid", "password", "client_secret", "X-Auth-Key"}) {
    EXPECT_TRUE(IsSecretName(name)) << name;
  }
  for (const std::string name : {"", "key", "region", "account-id", "secretary", "keys", "%"}) {
    EXPECT_FALSE(IsSecretName(name)) << name;
  }
}

}  // namespace
}  // namespace pcap_gateway
