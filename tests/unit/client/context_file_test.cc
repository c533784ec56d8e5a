#include "client/pcapctl/context_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/client/temporary_file.h"

namespace pcap_client {
namespace {

using testing::HasSubstr;

const char* NoEnvironment(const char*) { return nullptr; }

TEST(ParseContextFile, SkipsAByteOrderMark) {
  const auto file = ParseContextFile(
      "\xEF\xBB\xBF"
      "contexts: {a: {address: \"a:1\"}}\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->contexts.at("a").address, "a:1");
}

TEST(ParseContextFile, ReadsEverySettingOfAContext) {
  const auto file = ParseContextFile(R"(
current-context: production
contexts:
  staging: {address: "staging:50051"}
  production:
    address: gateway:443
    admin-address: gateway:9464
    account: 023e105f4ecef8ad9ca31a8372d0c353
    api-token-file: /token
    timeout: 5s
    tls: true
    tls-ca-file: /ca
    tls-cert-file: /cert
    tls-key-file: /key
    tls-server-name: name
)");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->current, "production");
  EXPECT_EQ(file->contexts.at("staging").address, "staging:50051");
  EXPECT_FALSE(file->contexts.at("staging").tls.has_value());
  const Settings& settings = file->contexts.at("production");
  EXPECT_EQ(settings.address, "gateway:443");
  EXPECT_EQ(settings.admin_address, "gateway:9464");
  // All digits, and still a text.
  EXPECT_EQ(settings.account, "023e105f4ecef8ad9ca31a8372d0c353");
  EXPECT_EQ(settings.api_token_file, "/token");
  EXPECT_EQ(settings.timeout, "5s");
  EXPECT_EQ(settings.tls, true);
  EXPECT_EQ(settings.tls_ca_file, "/ca");
  EXPECT_EQ(settings.tls_cert_file, "/cert");
  EXPECT_EQ(settings.tls_key_file, "/key");
  EXPECT_EQ(settings.tls_server_name, "name");
}

TEST(ParseContextFile, AnEmptyFileHasNoContexts) {
  ASSERT_TRUE(ParseContextFile("# nothing yet\n").ok());
  EXPECT_TRUE(ParseContextFile("").value().contexts.empty());
}

TEST(ParseContextFile, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {"contexts: [", "line 1"},
      {"- a\n- b\n", "not a mapping"},
      {"contexts: 5\n", "`contexts` is not a mapping"},
      {"contexts:\n  a: 5\n", "line 2: a context is not a mapping"},
      {"contexts:\n  a:\n    adress: b:1\n", "line 3: no option is called `adress`"},
      {"contexts:\n  a:\n    address: [b]\n", "line 3: `address` is not a text"},
      {"contexts:\n  a:\n    tls: perhaps\n", "line 3: `tls` is neither true nor false"},
      {"contexts:\n  a: {}\n  a: {}\n", "a second context `a`"},
      {"current-context: b\ncontexts:\n  a: {}\n", "no context `b`"},
      {"context: a\n", "unknown key `context`"},
      {"contexts: {}\n---\ncontexts: {}\n", "line 3: a second document begins"},
  };
  for (const auto& [yaml, why] : cases) {
    EXPECT_THAT(ParseContextFile(yaml).status().message(), HasSubstr(why)) << yaml;
  }
}

TEST(SettingsOfContext, TakesTheNamedOneOrTheCurrentOne) {
  const TemporaryFile file(
      "current-context: a\ncontexts:\n  a: {address: 'a:1'}\n  b: {address: 'b:1'}\n");
  EXPECT_EQ(SettingsOfContext(file.path(), "", NoEnvironment)->address, "a:1");
  EXPECT_EQ(SettingsOfContext(file.path(), "b", NoEnvironment)->address, "b:1");
  EXPECT_THAT(SettingsOfContext(file.path(), "c", NoEnvironment).status().message(),
              HasSubstr("there is no context `c`; did you mean `a`?"));
}

TEST(SettingsOfContext, AFileThatWasNamedMustBeThereAndTheUsualOneNeedNot) {
  EXPECT_THAT(SettingsOfContext("/nowhere", "", NoEnvironment).status().message(),
              HasSubstr("--config: cannot read /nowhere"));
  const auto home = [](const char* name) -> const char* {
    return std::strcmp(name, "HOME") == 0 ? "/nowhere" : nullptr;
  };
  EXPECT_TRUE(SettingsOfContext("", "", home).ok());
  EXPECT_TRUE(SettingsOfContext("", "", NoEnvironment).ok());
  EXPECT_FALSE(SettingsOfContext("", "a", NoEnvironment).ok());
}

TEST(ContextFile, ANameIsOneLine) {
  for (const char* const name : {"\"a\\nb\"", "\"\\e[2J\"", "\"\""}) {
    EXPECT_EQ(ParseContextFile(absl::StrCat("contexts:\n  ", name, ": {address: 'a:1'}\n"))
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace pcap_client
