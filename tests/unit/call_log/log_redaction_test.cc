#include "service/log_redaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "service/operations/log.h"
#include "tests/unit/call_log/kept_lines.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kToken[] = "canary-token-7d1f0a9be4c2";
constexpr char kEmail[] = "canary-mail-55c1@example.com";
constexpr char kKey[] = "canarykey31d9fe07aa8842";

constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn,
                                LogLevel::kError};

// What the log makes of these texts, each as a message and as a field, at each level, in each form.
std::string Logged(const std::vector<std::string>& texts,
                   std::shared_ptr<const Credential> credential) {
  const auto lines = std::make_shared<KeptLines>();
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText, LogFormat::kColouredText}) {
    Log log({.format = format, .level = LogLevel::kDebug, .redact = LogRedaction(credential)},
            std::make_unique<KeepingOutput>(lines));
    for (const std::string& text : texts) {
      for (const LogLevel level : kLevels) log.Write(level, text, {{"field", text}});
    }
  }
  std::string all;
  for (const std::string& line : lines->Text()) all += line;
  return all;
}

TEST(LogRedaction, HidesTheGatewaysOwnCredentialWhereverItStands) {
  const std::string logged =
      Logged({std::string("who is ") + kToken + "?", std::string("/path/") + kToken + "/file"},
             *Credential::FromToken(Credential::Owner::kGateway, kToken));
  EXPECT_THAT(logged, Not(HasSubstr("canary")));
  EXPECT_THAT(logged, HasSubstr("who is REDACTED?"));
  const std::string of_user =
      Logged({std::string("user ") + kEmail + " and " + kKey},
             *Credential::FromEmailAndKey(Credential::Owner::kGateway, kEmail, kKey));
  EXPECT_THAT(of_user, Not(HasSubstr("canary")));
  EXPECT_THAT(of_user, HasSubstr("user REDACTED and REDACTED"));
}

TEST(LogRedaction, HidesWhatIsKnownForASecretByItsNameOrPlace) {
  const std::string logged = Logged(
      {
          "redis://user:canary@127.0.0.1:6379/1",
          "unix://:canary@/run/redis.sock",
          "http://user:canary@proxy:3128",
          "cannot write to r2://b?account-id=a&access-key-id=canary&secret-access-key=canary",
          "headers: Authorization: Bearer canary, X-Auth-Key: canary",
          "{\"secretAccessKey\": \"canary\"}",
          "first line\nsecret-access-key=canary\r\n\x1b[31mpassword: canary",
          std::string("\xff\xfe api_token=canary"),
      },
      nullptr);
  EXPECT_THAT(logged, Not(HasSubstr("canary")));
  EXPECT_THAT(logged, HasSubstr("REDACTED@127.0.0.1:6379/1"));
}

TEST(LogRedaction, LeavesOtherTextAlone) {
  const std::string text = "Redis is down: it says WRONGPASS; calls go on without it";
  EXPECT_EQ(LogRedaction(nullptr)(text), text);
}

}  // namespace
}  // namespace pcap_gateway
