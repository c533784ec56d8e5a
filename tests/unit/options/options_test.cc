#include "service/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/option_table.h"
#include "service/tracing/tracing.h"

namespace pcap_gateway {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr char kAccount[] = "023e105f4ecef8ad9ca31a8372d0c353";
constexpr char kOtherAccount[] = "123e105f4ecef8ad9ca31a8372d0c353";

class OptionsTest : public testing::Test {
 protected:
  ~OptionsTest() override {
    for (const std::string& file : files_) std::remove(file.c_str());
  }

  void Set(const std::string& name, const std::string& value) { variables_[name] = value; }
  void Unset(const std::string& name) { variables_.erase(name); }

  // The path of a file that holds `content`, until the test ends.
  std::string File(const std::string& content) {
    files_.push_back(testing::TempDir() + "options." + std::to_string(getpid()) + "." +
                     std::to_string(files_.size()));
    std::ofstream(files_.back(), std::ios::binary) << content;
    return files_.back();
  }

  std::variant<Options, EarlyExit> Read(const std::vector<std::string>& arguments) const {
    std::vector<std::string> names;
    for (const auto& [name, value] : variables_) names.push_back(name);
    return ReadOptions(
        arguments,
        [this](const char* name) -> const char* {
          const auto found = variables_.find(name);
          return found == variables_.end() ? nullptr : found->second.c_str();
        },
        names);
  }

  // The options of arguments that can be used.
  Options Good(const std::vector<std::string>& arguments = {}) const {
    auto read = Read(arguments);
    if (const auto* exit = std::get_if<EarlyExit>(&read)) {
      ADD_FAILURE() << exit->text;
      return {};
    }
    return std::get<Options>(std::move(read));
  }

  // The line that arguments which cannot be used, now or ever, end the start with.
  std::string Refusal(const std::vector<std::string>& arguments, int code = 2) const {
    const auto read = Read(arguments);
    const auto* exit = std::get_if<EarlyExit>(&read);
    if (exit == nullptr) {
      ADD_FAILURE() << "not refused: " << testing::PrintToString(arguments);
      return "";
    }
    EXPECT_EQ(exit->code, code) << exit->text;
    EXPECT_THAT(exit->text, StartsWith("pcap-gateway: "));
    EXPECT_TRUE(std::none_of(exit->text.begin(), exit->text.end(),
                             [](char c) { return static_cast<unsigned char>(c) < ' '; }))
        << "one line: " << testing::PrintToString(exit->text);
    return exit->text;
  }

 private:
  std::map<std::string, std::string> variables_ = {{"CLOUDFLARE_API_TOKEN", "a-token"}};
  std::vector<std::string> files_;
};

TEST_F(OptionsTest, HaveDefaults) {
  const Options options = Good();
  EXPECT_EQ(options.listen, "127.0.0.1:50051");
  EXPECT_EQ(options.tls_cert_file, "");
  EXPECT_EQ(options.tls_key_file, "");
  EXPECT_EQ(options.tls_client_ca_file, "");
  EXPECT_EQ(options.policy_file, "");
  EXPECT_EQ(options.reload_interval, absl::Seconds(10));
  EXPECT_EQ(options.api_token_file, "");
  EXPECT_EQ(options.upstream_url, "https://api.cloudflare.com/client/v4");
  EXPECT_EQ(options.upstream_ca_file, "");
  EXPECT_EQ(options.upstream_proxy, "");
  EXPECT_EQ(options.upstream_timeout, absl::Seconds(30));
  EXPECT_EQ(options.upstream_connect_timeout, absl::Seconds(5));
  EXPECT_EQ(options.upstream_first_byte_timeout, absl::Seconds(10));
  EXPECT_EQ(options.upstream_limit, 1200);
  EXPECT_FALSE(options.upstream_limit_is_explicit);
  EXPECT_EQ(options.upstream_reserve, 240);
  EXPECT_EQ(options.upstream_retries, 2);
  EXPECT_EQ(options.upstream_failures, 20);
  EXPECT_FALSE(options.default_account_id.has_value());
  EXPECT_EQ(options.cache_bytes, 64 << 20);
  EXPECT_EQ(options.freshness.final_lifetime, absl::Hours(24));
  EXPECT_EQ(options.freshness.moving_lifetime, absl::Seconds(2));
  EXPECT_EQ(options.freshness.longest_moving_lifetime, absl::Seconds(10));
  EXPECT_EQ(options.freshness.not_found_lifetime, absl::Seconds(5));
  EXPECT_EQ(options.freshness.stale_while_revalidate, absl::Seconds(5));
  EXPECT_EQ(options.freshness.stale_if_error, absl::Hours(1));
  EXPECT_EQ(options.admin_listen, "127.0.0.1:9464");
  EXPECT_FALSE(options.admin_listen_is_explicit);
  EXPECT_EQ(options.channelz_listen, "");
  EXPECT_FALSE(options.reveal_destination_secrets);
  EXPECT_EQ(options.lame_duck, absl::Seconds(5));
  EXPECT_EQ(options.drain_timeout, absl::Seconds(30));
  EXPECT_EQ(options.max_connections, 10'000);
  EXPECT_EQ(options.max_calls, 10'000);
  EXPECT_EQ(options.max_streams, 10'000);
  EXPECT_EQ(options.max_streams_per_connection, 100);
  EXPECT_EQ(options.first_message_timeout, absl::Seconds(10));
  EXPECT_EQ(options.stream_idle_timeout, absl::Seconds(60));
  EXPECT_FALSE(options.allow_write);
  EXPECT_FALSE(options.allow_download);
  EXPECT_EQ(options.max_downloads, 64);
  EXPECT_EQ(options.most_download_bytes, int64_t{1} << 30);
  EXPECT_TRUE(options.reflection);
  EXPECT_EQ(options.log_format, std::nullopt);
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
  EXPECT_EQ(options.log_hits, 0.01);
  EXPECT_EQ(options.log_file, "");
  EXPECT_EQ(SummaryOf(options.settings), "");
  EXPECT_THAT(options.warnings, IsEmpty());
  EXPECT_EQ(options.check, Options::Check::kNone);
}

// Of what somebody may have set for all programs of a pod, too, once there are spans.
TEST_F(OptionsTest, ABadSamplerIsRefusedWhereThereAreSpans) {
  for (const char* bad : {"--traces-sampler=some", "--traces-sampler-arg=2"}) {
    Good({"--traces-sampler=traceidratio", bad});
    EXPECT_THAT(
        Refusal({"--otlp-endpoint=http://a:4318", "--traces-sampler=traceidratio", bad}),
        HasSubstr(absl::StrCat(std::string(bad).substr(0, std::string(bad).find('=')), ": ")));
  }
}

TEST_F(OptionsTest, EachRowOfTheTableHasANameOfItsOwnAndWords) {
  std::set<std::string> names;
  for (const OptionGroup& group : OptionTable()) {
    for (const OptionRow& row : group.rows) {
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
      EXPECT_EQ(FindOption(row.name), &row);
      EXPECT_THAT(row.what, AllOf(Not(EndsWith(".")), Not(HasSubstr("|")))) << row.name;
      if (row.more != nullptr) {
        EXPECT_THAT(row.more, AllOf(EndsWith("."), Not(HasSubstr("|")))) << row.name;
      }
      EXPECT_TRUE(*row.preset == '\0' || row.unset == nullptr) << row.name << " has two defaults";
    }
  }
  EXPECT_EQ(FindOption("config"), nullptr);
}

TEST_F(OptionsTest, SayWhatIsLogged) {
  const struct {
    const char* text;
    LogLevel level;
  } levels[] = {{"debug", LogLevel::kDebug},
                {"info", LogLevel::kInfo},
                {"warn", LogLevel::kWarn},
                {"error", LogLevel::kError}};
  for (const auto& [text, level] : levels) {
    EXPECT_EQ(Good({std::string("--log-level=") + text}).log_level, level);
  }
  EXPECT_EQ(Good({"--log-format=auto"}).log_format, std::nullopt);
  EXPECT_EQ(Good({"--log-format=json"}).log_format, LogFormat::kJson);
  EXPECT_EQ(Good({"--log-format=text"}).log_format, LogFormat::kText);
  for (const double hits : {0.0, 0.25, 1.0}) {
    EXPECT_EQ(Good({"--log-hits=" + std::to_string(hits)}).log_hits, hits);
  }
  EXPECT_EQ(Good({"--log-file=/var/log/pcap-gateway"}).log_file, "/var/log/pcap-gateway");
}

TEST_F(OptionsTest, KnowWhereEachComesFrom) {
  Set("PCAP_GATEWAY_CACHE_BYTES", "1M");
  Set("PCAP_GATEWAY_LOG_LEVEL", "debug");
  Set("CLOUDFLARE_ACCOUNT_ID", kAccount);
  const std::string file = File("\nlame-duck = 1s\ncache-bytes = 2M\n");
  const Options options =
      Good({"--listen=127.0.0.1:1", "--listen=127.0.0.1:2", "--no-reflection",
            "--admin-listen=", "--allow-http-upstream", "--log-level=warn", "--config", file});
  EXPECT_EQ(SummaryOf(options.settings),
            absl::StrCat("config=", file,
                         " (the command line), listen=127.0.0.1:2 (the command line), "
                         "allow-http-upstream=true (the command line), "
                         "default-account-id=",
                         kAccount,
                         " (CLOUDFLARE_ACCOUNT_ID), "
                         "cache-bytes=1M (PCAP_GATEWAY_CACHE_BYTES), "
                         "admin-listen= (the command line), "
                         "lame-duck=1s (",
                         file,
                         ", line 2), "
                         "reflection=false (the command line), "
                         "log-level=warn (the command line)"));
}

TEST_F(OptionsTest, ShowNoSecret) {
  const std::string token = "abcdefghijklmnopqrstuvwxyz0123456789ABCD";
  const Options options =
      Good({"--redis-url=redis://me:canary@redis:1/2", "--upstream-proxy=http://me:canary@proxy:1",
            "--tls-client-ca-file=", "--log-file=" + token});
  const std::string summary = SummaryOf(options.settings);
  EXPECT_THAT(summary, AllOf(HasSubstr("redis-url=redis://REDACTED@redis:1/2"),
                             HasSubstr("upstream-proxy=http://REDACTED@proxy:1"),
                             HasSubstr("log-file=REDACTED"), Not(HasSubstr("canary"))));
  EXPECT_THAT(JsonOf(options.settings, "1.2.3"),
              AllOf(HasSubstr("\"version\": \"1.2.3\""), Not(HasSubstr("canary")),
                    Not(HasSubstr(token)), HasSubstr("default")));
}

TEST_F(OptionsTest, AMessageTellsTheValueAndWhereItComesFrom) {
  EXPECT_THAT(Refusal({"--cache-bytes=lots"}), EndsWith("; `lots` comes from the command line"));
  EXPECT_THAT(Refusal({"--config", File("\n\ncache-bytes = lots")}),
              AllOf(HasSubstr("; `lots` comes from "), EndsWith(", line 3")));
  Set("PCAP_GATEWAY_CACHE_BYTES", "lots");
  EXPECT_THAT(Refusal({}), EndsWith("; `lots` comes from PCAP_GATEWAY_CACHE_BYTES"));
  Unset("PCAP_GATEWAY_CACHE_BYTES");
  Set("SSL_CERT_FILE", "/no/such/file");
  EXPECT_THAT(Refusal({}, 1), EndsWith("; `/no/such/file` comes from SSL_CERT_FILE"));
  Unset("SSL_CERT_FILE");
  EXPECT_THAT(Refusal({"--redis-url=redis//me:canary@host"}), Not(HasSubstr("canary")));
  EXPECT_THAT(Refusal({"--moving-lifetime=1h"}), EndsWith("; `10s` is the default"));
}

TEST_F(OptionsTest, ASlipIsAskedAbout) {
  EXPECT_THAT(Refusal({"--log-levle=debug"}), HasSubstr("did you mean --log-level?"));
  EXPECT_THAT(Refusal({"--chache-bytes=1"}), HasSubstr("did you mean --cache-bytes?"));
  EXPECT_THAT(Refusal({"--config", File("lstien = a")}), HasSubstr("did you mean --listen?"));
  EXPECT_THAT(Refusal({"--something-else=1"}), Not(HasSubstr("did you mean")));
}

TEST_F(OptionsTest, AVariableThatSetsNothingIsWarnedOf) {
  Set("PCAP_GATEWAY_LOG_LEVLE", "debug");
  Set("PCAP_GATEWAY_SOMETHING_ELSE", "1");
  for (const char* link :
       {"PCAP_GATEWAY_SERVICE_HOST", "PCAP_GATEWAY_SERVICE_PORT", "PCAP_GATEWAY_SERVICE_PORT_GRPC",
        "PCAP_GATEWAY_PORT", "PCAP_GATEWAY_PORT_50051_TCP", "PCAP_GATEWAY_PORT_50051_TCP_ADDR",
        "PCAP_GATEWAY_ADMIN_SERVICE_HOST", "PCAP_GATEWAY_ADMIN_PORT_9464_TCP_PROTO"}) {
    Set(link, "tcp://10.0.0.1:1");
  }
  Set("PCAP_GATEWAYS", "no prefix of ours");
  EXPECT_THAT(
      Good().warnings,
      UnorderedElementsAre("PCAP_GATEWAY_LOG_LEVLE: there is no such option, so nothing is set; "
                           "did you mean PCAP_GATEWAY_LOG_LEVEL?",
                           "PCAP_GATEWAY_SOMETHING_ELSE: there is no such option, so nothing is "
                           "set"));
}

TEST_F(OptionsTest, AreLookedAtWithoutAStart) {
  EXPECT_EQ(Good({"--check"}).check, Options::Check::kFiles);
  EXPECT_EQ(Good({"--check", "--listen=127.0.0.1:1"}).check, Options::Check::kFiles);
  EXPECT_EQ(Good({"--check=online"}).check, Options::Check::kOnline);
  EXPECT_THAT(Refusal({"--check=maybe"}), HasSubstr("--check=online"));
  Set("PCAP_GATEWAY_CHECK", "online");  // nobody means it for each start
  EXPECT_EQ(Good().check, Options::Check::kNone);
}

TEST_F(OptionsTest, WhatIsNotThereYetIsWorthAnotherTry) {
  const std::string nowhere = "/does/not/exist";
  for (const char* option : {"--config=", "--api-token-file=", "--upstream-ca-file="}) {
    EXPECT_THAT(Refusal({option + nowhere}, 1), HasSubstr(nowhere));
    EXPECT_THAT(Refusal({absl::StrCat(option, "/")}, 2), HasSubstr("is a directory"));
  }
}

TEST_F(OptionsTest, AreFlags) {
  const std::string certificates = File("-----BEGIN CERTIFICATE-----\n");
  const Options options =
      Good({"--listen=[::1]:0", "--upstream-url", "https://example.com/v4/", "--upstream-ca-file",
            certificates, "--upstream-proxy=http://proxy:3128", "--upstream-timeout=250ms",
            "--default-account-id", kAccount, "--cache-bytes=1M", "--admin-listen=127.0.0.1:0",
            "--reveal-destination-secrets", "--lame-duck=0s", "--drain-timeout=1m",
            "--max-connections=0", "--max-calls=17", "--no-reflection"});
  EXPECT_EQ(options.listen, "[::1]:0");
  EXPECT_EQ(options.upstream_url, "https://example.com/v4");
  EXPECT_EQ(options.upstream_ca_file, certificates);
  EXPECT_EQ(options.upstream_proxy, "http://proxy:3128");
  EXPECT_EQ(options.upstream_timeout, absl::Milliseconds(250));
  EXPECT_EQ(options.default_account_id, Id::Parse(kAccount));
  EXPECT_EQ(options.cache_bytes, 1 << 20);
  EXPECT_EQ(options.admin_listen, "127.0.0.1:0");
  EXPECT_TRUE(options.admin_listen_is_explicit);
  EXPECT_TRUE(options.reveal_destination_secrets);
  EXPECT_EQ(options.lame_duck, absl::ZeroDuration());
  EXPECT_EQ(options.drain_timeout, absl::Minutes(1));
  EXPECT_EQ(options.max_connections, 0);
  EXPECT_EQ(options.max_calls, 17);
  EXPECT_FALSE(options.reflection);
}

TEST_F(OptionsTest, SayWhoMayCall) {
  const Options options =
      Good({"--listen=0.0.0.0:1", "--tls-cert-file=/cert", "--tls-key-file=/key",
            "--tls-client-ca-file=/ca", "--policy-file=/policy", "--reload-interval=1s"});
  EXPECT_EQ(options.tls_cert_file, "/cert");
  EXPECT_EQ(options.tls_key_file, "/key");
  EXPECT_EQ(options.tls_client_ca_file, "/ca");
  EXPECT_EQ(options.policy_file, "/policy");
  EXPECT_EQ(options.reload_interval, absl::Seconds(1));
}

TEST_F(OptionsTest, OtherMachinesNeedTlsOrAWordThatTheyDoNot) {
  for (const char* address :
       {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "gateway:1", "[2001:db8::1]:1", "128.0.0.1:1"}) {
    const std::string listen = absl::StrCat("--listen=", address);
    EXPECT_THAT(Refusal({listen}), AllOf(StartsWith("pcap-gateway: --listen: "),
                                         HasSubstr("--tls-cert-file"), HasSubstr("--insecure")));
    Good({listen, "--insecure"});
    Good({listen, "--tls-cert-file=/cert", "--tls-key-file=/key"});
  }
  for (const char* address : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"}) {
    Good({absl::StrCat("--listen=", address)});
  }
}

TEST_F(OptionsTest, HalfOfTlsIsRefused) {
  EXPECT_THAT(Refusal({"--tls-cert-file=/cert"}), StartsWith("pcap-gateway: --tls-key-file: "));
  EXPECT_THAT(Refusal({"--tls-key-file=/key"}), StartsWith("pcap-gateway: --tls-cert-file: "));
}

TEST_F(OptionsTest, SetEachLifetimeByItsOwnFlag) {
  const Options options =
      Good({"--final-lifetime=720h", "--moving-lifetime=1s", "--longest-moving-lifetime=20s",
            "--not-found-lifetime=0s", "--stale-while-revalidate=3s", "--stale-if-error=4s"});
  EXPECT_EQ(options.freshness.final_lifetime, absl::Hours(720));
  EXPECT_EQ(options.freshness.moving_lifetime, absl::Seconds(1));
  EXPECT_EQ(options.freshness.longest_moving_lifetime, absl::Seconds(20));
  EXPECT_EQ(options.freshness.not_found_lifetime, absl::ZeroDuration());
  EXPECT_EQ(options.freshness.stale_while_revalidate, absl::Seconds(3));
  EXPECT_EQ(options.freshness.stale_if_error, absl::Seconds(4));
}

TEST_F(OptionsTest, ProtectTheUpstream) {
  const Options options = Good({"--upstream-connect-timeout=1s", "--upstream-first-byte-timeout=2s",
                                "--upstream-limit=500", "--upstream-reserve=0",
                                "--upstream-retries=0", "--upstream-failures=3"});
  EXPECT_EQ(options.upstream_connect_timeout, absl::Seconds(1));
  EXPECT_EQ(options.upstream_first_byte_timeout, absl::Seconds(2));
  EXPECT_EQ(options.upstream_limit, 500);
  EXPECT_TRUE(options.upstream_limit_is_explicit);
  EXPECT_EQ(options.upstream_reserve, 0);
  EXPECT_EQ(options.upstream_retries, 0);
  EXPECT_EQ(options.upstream_failures, 3);
}

TEST_F(OptionsTest, ReserveAFifthOfTheLimitUnlessTold) {
  EXPECT_EQ(Good({"--upstream-limit=100"}).upstream_reserve, 20);
  EXPECT_EQ(Good({"--upstream-limit=1"}).upstream_reserve, 0);
  EXPECT_EQ(Good({"--upstream-limit=0"}).upstream_reserve, 0);
  EXPECT_THAT(Refusal({"--upstream-limit=100", "--upstream-reserve=100"}),
              HasSubstr("--upstream-reserve: must be less than --upstream-limit"));
}

TEST_F(OptionsTest, BoundTheAddressWhereTheyBoundItsCredentials) {
  EXPECT_EQ(Good({}).upstream_address_limit, 200);
  EXPECT_EQ(Good({"--upstream-limit=0"}).upstream_address_limit, 0);
  EXPECT_EQ(Good({"--upstream-limit=0", "--upstream-address-limit=7"}).upstream_address_limit, 7);
}

TEST_F(OptionsTest, NameARedis) {
  EXPECT_FALSE(Good().redis_url.has_value());
  EXPECT_FALSE(Good({"--redis-url="}).redis_url.has_value());
  EXPECT_EQ(Good().redis_timeout, absl::Milliseconds(5));
  const Options options = Good({"--redis-url=redis://:pw@cache/2", "--redis-timeout=20ms"});
  EXPECT_EQ(options.redis_url->host, "cache");
  EXPECT_EQ(options.redis_url->password, "pw");
  EXPECT_EQ(options.redis_url->database, 2);
  EXPECT_EQ(options.redis_timeout, absl::Milliseconds(20));
  EXPECT_THAT(Refusal({"--redis-url=redis://:canary@"}), Not(HasSubstr("canary")));
}

TEST_F(OptionsTest, LetNoLifetimeShrinkWithAge) {
  EXPECT_THAT(Refusal({"--moving-lifetime=11s"}),
              HasSubstr("--longest-moving-lifetime: must not be less than --moving-lifetime"));
  EXPECT_EQ(Good({"--moving-lifetime=10s"}).freshness.moving_lifetime, absl::Seconds(10));
}

TEST_F(OptionsTest, AreVariablesToo) {
  Set("PCAP_GATEWAY_LISTEN", "127.0.0.1:1");
  Set("PCAP_GATEWAY_CACHE_BYTES", "0");
  Set("PCAP_GATEWAY_DEFAULT_ACCOUNT_ID", kAccount);
  Set("PCAP_GATEWAY_REVEAL_DESTINATION_SECRETS", "true");
  Set("PCAP_GATEWAY_REFLECTION", "false");
  Set("PCAP_GATEWAY_ADMIN_LISTEN", "");
  Set("PCAP_GATEWAY_LAME_DUCK", "1s");
  const Options options = Good();
  EXPECT_EQ(options.listen, "127.0.0.1:1");
  EXPECT_EQ(options.cache_bytes, 0);
  EXPECT_EQ(options.default_account_id, Id::Parse(kAccount));
  EXPECT_TRUE(options.reveal_destination_secrets);
  EXPECT_FALSE(options.reflection);
  EXPECT_EQ(options.admin_listen, "");
  EXPECT_TRUE(options.admin_listen_is_explicit);
  EXPECT_EQ(options.lame_duck, absl::Seconds(1));
}

TEST_F(OptionsTest, AreLinesOfAFileToo) {
  const std::string file = File(
      "# as an operator writes it\nlisten = [::1]:0\n\nupstream-timeout=1s ; short\n"
      "reveal-destination-secrets = true\nno-reflection = true\nadmin-listen = \n");
  const Options options = Good({"--config", file});
  EXPECT_EQ(options.listen, "[::1]:0");
  EXPECT_EQ(options.upstream_timeout, absl::Seconds(1));
  EXPECT_TRUE(options.reveal_destination_secrets);
  EXPECT_FALSE(options.reflection);
  EXPECT_EQ(options.admin_listen, "");
}

TEST_F(OptionsTest, TheFileMayBeNamedByAVariable) {
  Set("PCAP_GATEWAY_CONFIG", File("cache-bytes = 1"));
  EXPECT_EQ(Good().cache_bytes, 1);
  EXPECT_EQ(Good({"--config=" + File("cache-bytes = 2")}).cache_bytes, 2);
  EXPECT_EQ(Good({"--config="}).cache_bytes, 64 << 20);
}

TEST_F(OptionsTest, FlagsComeBeforeVariablesAndThoseBeforeTheFile) {
  const std::string file = File("upstream-url = https://file\nreflection = false\n");
  EXPECT_EQ(Good({"--config", file}).upstream_url, "https://file");
  Set("CLOUDFLARE_BASE_URL", "https://cloudflare-variable");
  EXPECT_EQ(Good({"--config", file}).upstream_url, "https://cloudflare-variable");
  Set("PCAP_GATEWAY_UPSTREAM_URL", "https://variable");
  EXPECT_EQ(Good({"--config", file}).upstream_url, "https://variable");
  EXPECT_EQ(Good({"--config", file, "--upstream-url=https://flag"}).upstream_url, "https://flag");

  EXPECT_FALSE(Good({"--config", file}).reflection);
  EXPECT_TRUE(Good({"--config", file, "--reflection"}).reflection);
  Set("PCAP_GATEWAY_REFLECTION", "true");
  EXPECT_TRUE(Good({"--config", file}).reflection);
  EXPECT_FALSE(Good({"--config", file, "--no-reflection"}).reflection);
}

TEST_F(OptionsTest, OfSeveralFlagsTheLastOneCounts) {
  EXPECT_EQ(Good({"--cache-bytes=1", "--cache-bytes=2"}).cache_bytes, 2);
  EXPECT_TRUE(Good({"--no-reflection", "--reflection"}).reflection);
}

TEST_F(OptionsTest, CommonVariablesWillDo) {
  Set("CLOUDFLARE_BASE_URL", "https://example.com");
  Set("CLOUDFLARE_ACCOUNT_ID", kOtherAccount);
  const std::string certificates = File("-----BEGIN CERTIFICATE-----\n");
  Set("SSL_CERT_FILE", certificates);
  EXPECT_EQ(Good().upstream_url, "https://example.com");
  EXPECT_EQ(Good().default_account_id, Id::Parse(kOtherAccount));
  EXPECT_EQ(Good().upstream_ca_file, certificates);
  Set("PCAP_GATEWAY_DEFAULT_ACCOUNT_ID", kAccount);
  EXPECT_EQ(Good().default_account_id, Id::Parse(kAccount));
}

TEST_F(OptionsTest, AnEmptyCommonVariableCountsAsNotSet) {
  Set("CLOUDFLARE_BASE_URL", "");
  Set("CLOUDFLARE_ACCOUNT_ID", "");
  Set("SSL_CERT_FILE", "");
  EXPECT_EQ(Good().upstream_url, "https://api.cloudflare.com/client/v4");
  EXPECT_FALSE(Good().default_account_id.has_value());

  Set("CLOUDFLARE_API_TOKEN", "");
  Set("CLOUDFLARE_EMAIL", "me@example.com");
  Set("CLOUDFLARE_API_KEY", "key");
  EXPECT_THAT(Good().service_credential->header_lines(),
              ElementsAre("X-Auth-Email: me@example.com", "X-Auth-Key: key"));
}

TEST_F(OptionsTest, TheProxiesOfTheEnvironmentAreNotUsed) {
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"}) {
    Set(name, "http://proxy:3128");
  }
  EXPECT_EQ(Good().upstream_proxy, "");
}

TEST_F(OptionsTest, TheTokenFileComesBeforeTheVariable) {
  const Options options = Good({"--api-token-file", File("from-the-file\n")});
  EXPECT_THAT(options.service_credential->header_lines(),
              ElementsAre("Authorization: Bearer from-the-file"));
  EXPECT_EQ(options.service_credential->owner(), Credential::Owner::kGateway);
}

TEST_F(OptionsTest, TheTokenVariableComesBeforeEmailAndKey) {
  Set("CLOUDFLARE_EMAIL", "me@example.com");
  Set("CLOUDFLARE_API_KEY", "key");
  EXPECT_THAT(Good().service_credential->header_lines(),
              ElementsAre("Authorization: Bearer a-token"));
  Unset("CLOUDFLARE_API_TOKEN");
  EXPECT_THAT(Good().service_credential->header_lines(),
              ElementsAre("X-Auth-Email: me@example.com", "X-Auth-Key: key"));
}

TEST_F(OptionsTest, NoCredentialIsRefusedWithTheWaysToGiveOne) {
  Unset("CLOUDFLARE_API_TOKEN");
  EXPECT_THAT(Refusal({}), AllOf(HasSubstr("--api-token-file"), HasSubstr("CLOUDFLARE_API_TOKEN"),
                                 HasSubstr("CLOUDFLARE_EMAIL"), HasSubstr("--credential=caller")));
}

TEST_F(OptionsTest, HalfOfEmailAndKeyIsRefused) {
  Unset("CLOUDFLARE_API_TOKEN");
  Set("CLOUDFLARE_EMAIL", "me@example.com");
  EXPECT_THAT(Refusal({}), HasSubstr("CLOUDFLARE_API_KEY: the API key is empty"));
  Unset("CLOUDFLARE_EMAIL");
  Set("CLOUDFLARE_API_KEY", "canary");
  EXPECT_THAT(Refusal({}), AllOf(HasSubstr("the email is empty"), Not(HasSubstr("canary"))));
}

TEST_F(OptionsTest, CallersMayBringTheCredential) {
  EXPECT_EQ(Good({"--credential=caller"}).service_credential, nullptr);
  Unset("CLOUDFLARE_API_TOKEN");
  EXPECT_EQ(Good({"--credential=caller"}).service_credential, nullptr);
}

TEST_F(OptionsTest, ATokenFileBesideCallersCredentialsIsRefused) {
  EXPECT_THAT(Refusal({"--credential=caller", "--api-token-file", File("token")}),
              HasSubstr("--api-token-file"));
}

TEST_F(OptionsTest, ATokenThatIsNoHeaderValueIsRefusedAndNotRepeated) {
  for (const std::string& token :
       {std::string("canary\ncanary"), std::string("canary\0canary", 13), std::string("canary b"),
        std::string("canary\x80"), std::string(5000, 'c')}) {
    EXPECT_THAT(
        Refusal({"--api-token-file", File(token)}),
        AllOf(HasSubstr("--api-token-file"), Not(HasSubstr("canary")), Not(HasSubstr("cccc"))));
  }
  Set("CLOUDFLARE_API_TOKEN", "canary\ncanary");
  EXPECT_THAT(Refusal({}), AllOf(HasSubstr("CLOUDFLARE_API_TOKEN"), Not(HasSubstr("canary"))));
}

TEST_F(OptionsTest, ATokenInThePlaceOfItsFileIsNotRepeated) {
  EXPECT_THAT(Refusal({"--api-token-file=canary"}, 1), Not(HasSubstr("canary")));
  EXPECT_THAT(Refusal({"--api-token-file=/no/such/file"}, 1), HasSubstr("/no/such/file"));
}

TEST_F(OptionsTest, AValueThatCannotWorkIsRefusedByTheNameOfItsOption) {
  std::vector<std::pair<std::string, std::string>> rows = {
      {"listen", "nonsense"},
      {"listen", ""},
      {"listen", "127.0.0.1:99999"},
      {"listen", "0.0.0.0:50051"},
      {"tls-client-ca-file", "/ca"},
      {"insecure", "perhaps"},
      {"reload-interval", "0s"},
      {"reload-interval", "10"},
      {"upstream-url", "http://example.com/client/v4"},
      {"upstream-url", ""},
      {"upstream-ca-file", "/"},
      {"upstream-ca-file", "/"},
      {"upstream-ca-file", File("no certificate")},
      {"upstream-proxy", "proxy:3128"},
      {"upstream-timeout", "30"},
      {"upstream-timeout", "0s"},
      {"upstream-connect-timeout", "0s"},
      {"upstream-first-byte-timeout", "soon"},
      {"upstream-limit", "-1"},
      {"upstream-limit", "many"},
      {"upstream-reserve", "1200"},
      {"upstream-retries", "11"},
      {"upstream-retries", ""},
      {"upstream-failures", "1.5"},
      {"credential", "both"},
      {"credential", ""},
      {"api-token-file", "/"},
      {"api-token-file", "/"},
      {"api-token-file", "/dev/null"},
      {"api-token-file", "/dev/zero"},
      {"default-account-id", "123"},
      {"default-account-id", "023E105F4ECEF8AD9CA31A8372D0C353"},
      {"cache-bytes", "-1"},
      {"cache-bytes", "10XB"},
      {"cache-bytes", ""},
      {"final-lifetime", "-1s"},
      {"final-lifetime", "721h"},
      {"final-lifetime", "inf"},
      {"moving-lifetime", "2"},
      {"longest-moving-lifetime", "1s"},
      {"not-found-lifetime", ""},
      {"stale-while-revalidate", "soon"},
      {"stale-if-error", "-1h"},
      {"redis-url", "rediss://u@cache"},
      {"redis-ca-file", File("no use without rediss://")},
      {"redis-cert-file", File("no use without rediss://")},
      {"redis-key-file", File("no use without rediss://")},
      {"redis-url", "cache:6379"},
      {"redis-timeout", "0s"},
      {"redis-timeout", "11s"},
      {"admin-listen", "nonsense"},
      {"channelz-listen", "nonsense"},
      {"channelz-listen", "0.0.0.0:1"},
      {"lame-duck", "-1s"},
      {"drain-timeout", "soon"},
      {"log-format", "xml"},
      {"log-format", ""},
      {"log-level", "INFO"},
      {"log-level", ""},
      {"log-hits", "1.01"},
      {"log-hits", "-0.1"},
      {"log-hits", "nan"},
      {"log-hits", "1%"},
      {"log-hits", ""},
      {"max-connections", "-1"},
      {"max-calls", "many"},
      {"max-streams", "-1"},
      {"max-streams-per-connection", "many"},
      {"first-message-timeout", "0s"},
      {"stream-idle-timeout", "0s"},
      {"allow", "read"},
      {"allow", "write,"},
      {"allow", "Download"},
      {"max-downloads", "-1"},
      {"most-download-bytes", "0"},
      {"most-download-bytes", "big"},
      {"reflection", "maybe"},
      {"reveal-destination-secrets", "2"},
      {"reveal-destination-secrets", ""},
      {"config", "/"},
      {"caller-hold", "1200"},
      {"upstream-address-limit", "many"},
      {"ready", "soon"},
      {"otlp-endpoint", "collector:4318"},
      {"otlp-traces-endpoint", "collector:4318"},
  };
  // Files are opened elsewhere, samplers where there are spans.
  std::set<std::string> tested = {"tls-cert-file", "tls-key-file",   "policy-file",
                                  "log-file",      "traces-sampler", "traces-sampler-arg"};
  for (const auto& [name, value] : rows) tested.insert(name);
  for (const OptionGroup& group : OptionTable()) {
    for (const OptionRow& row : group.rows) {
      if (row.is_switch) {
        rows.emplace_back(row.name, "perhaps");
      } else {
        EXPECT_EQ(tested.count(row.name), 1u) << row.name;
      }
    }
  }
  for (const auto& [name, value] : rows) {
    SCOPED_TRACE(name + "=" + value);
    const std::string expected = "pcap-gateway: --" + name + ": ";
    EXPECT_THAT(Refusal({"--" + name + "=" + value}), StartsWith(expected));
    std::string variable = "PCAP_GATEWAY_";
    for (const char c : name) variable += c == '-' ? '_' : static_cast<char>(toupper(c));
    Set(variable, value);
    // An empty name of the credential's file is none, so this is the one row that a variable mends.
    EXPECT_THAT(Refusal({}), StartsWith(expected));
    Unset(variable);
    if (name != "config") {
      EXPECT_THAT(Refusal({"--config", File(name + " = " + value)}), StartsWith(expected));
    }
  }
}

TEST_F(OptionsTest, AValueMayBeAnArgumentOfItsOwn) {
  EXPECT_EQ(Good({"--admin-listen", ""}).admin_listen, "");
  EXPECT_EQ(Good({"--admin-listen=", "--listen=127.0.0.1:1"}).listen, "127.0.0.1:1");
  EXPECT_THAT(Refusal({"--cache-bytes", "-1"}), HasSubstr("--cache-bytes: "));
  EXPECT_THAT(Refusal({"--listen"}), HasSubstr("--listen: "));
}

TEST_F(OptionsTest, AnUnknownOptionIsNamedWithoutItsValue) {
  EXPECT_THAT(Refusal({"--api-token=Canary"}),
              AllOf(HasSubstr("--api-token"), Not(HasSubstr("Canary"))));
  EXPECT_THAT(Refusal({"--api-token", "Canary"}),
              AllOf(HasSubstr("--api-token"), Not(HasSubstr("Canary"))));
  EXPECT_THAT(Refusal({"--api-token="}), HasSubstr("--api-token"));
}

TEST_F(OptionsTest, AStrayWordIsNotRepeated) {
  EXPECT_THAT(Refusal({"Canary"}), AllOf(HasSubstr("stray"), Not(HasSubstr("Canary"))));
  EXPECT_THAT(Refusal({"--", "Canary"}), AllOf(HasSubstr("stray"), Not(HasSubstr("Canary"))));
}

TEST_F(OptionsTest, AnUnknownNameInTheFileIsRefusedByItsLine) {
  EXPECT_THAT(
      Refusal({"--config", File("\nno-such-option = canary\n")}),
      AllOf(HasSubstr("--config: line 2"), HasSubstr("no-such-option"), Not(HasSubstr("canary"))));
  EXPECT_THAT(Refusal({"--config", File("Canary==")}), Not(HasSubstr("Canary")));
  for (const char* line :
       {"config = /etc/hostname", "help = true", "version = true", "[gateway]"}) {
    EXPECT_THAT(Refusal({"--config", File(line)}), HasSubstr("--config: line 1"));
  }
}

TEST_F(OptionsTest, ControlCharactersDoNotReachTheTerminal) {
  EXPECT_THAT(Refusal({"--upstream-ca-file=/a\x1b[31m\nb"}, 1), HasSubstr("--upstream-ca-file: "));
}

TEST_F(OptionsTest, HelpAndVersionNeedNothingElse) {
  Unset("CLOUDFLARE_API_TOKEN");
  for (const char* argument : {"--help", "-h", "--version"}) {
    const auto read = Read({argument, "--listen=nonsense"});
    ASSERT_TRUE(std::holds_alternative<EarlyExit>(read)) << argument;
    EXPECT_EQ(std::get<EarlyExit>(read).code, 0);
  }
  // gRPC's build, too, as its holes and its cost differ (SECURITY.md).
  EXPECT_THAT(
      std::get<EarlyExit>(Read({"--version"})).text,
      AllOf(StartsWith("pcap-gateway " PCAP_GATEWAY_VERSION "\ngRPC 1."),
            HasSubstr(HasRedisTls() ? "Redis over TLS (rediss://): yes" : "TLS (rediss://): no"),
            HasSubstr(HasTracing() ? "Spans (OpenTelemetry): yes" : "Spans (OpenTelemetry): no")));
}

// OpenTelemetry's own names count, too: the signal's endpoint before the common one.
TEST_F(OptionsTest, SpansGoWhereAnEndpointSays) {
  const auto url_of = [this](const std::vector<std::string>& arguments) {
    return Good(arguments).traces_url;
  };
  const auto with = [](const char* url) { return HasTracing() ? url : ""; };
  EXPECT_EQ(url_of({}), "");
  EXPECT_EQ(url_of({"--otlp-endpoint=http://a:4318/"}), with("http://a:4318/v1/traces"));
  EXPECT_EQ(url_of({"--otlp-traces-endpoint=https://a/x/"}), with("https://a/x"));
  Set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://common:4318");
  EXPECT_EQ(url_of({}), with("http://common:4318/v1/traces"));
  Set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://own:4318/spans");
  EXPECT_EQ(url_of({}), with("http://own:4318/spans"));
  EXPECT_EQ(url_of({"--otlp-traces-endpoint="}), with("http://common:4318/v1/traces"));
  for (const auto& [name, value] :
       {std::pair("OTEL_SDK_DISABLED", "TRUE"), std::pair("OTEL_TRACES_EXPORTER", "none"),
        std::pair("OTEL_TRACES_EXPORTER", "console"),
        std::pair("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        std::pair("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")}) {
    Set(name, value);
    EXPECT_EQ(url_of({}), "") << name;
    Unset(name);
  }
}

TEST_F(OptionsTest, OfCallsSamplersTakeSomeByOpenTelemetrysNames) {
  const auto sampling_of = [this](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"--otlp-endpoint=http://a:4318"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Good(arguments).sampling;
  };
  EXPECT_EQ(sampling_of({}), Sampling());
  Set("OTEL_TRACES_SAMPLER", "traceidratio");
  Set("OTEL_TRACES_SAMPLER_ARG", "0.25");
  EXPECT_EQ(sampling_of({}), (Sampling{.by_parent = false, .share = 0.25}));
  EXPECT_EQ(sampling_of({"--traces-sampler=parentbased_traceidratio", "--traces-sampler-arg=0.5"}),
            (Sampling{.by_parent = true, .share = 0.5}));
  // Which is another sampler's.
  Set("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://a");
  EXPECT_EQ(sampling_of({"--traces-sampler=always_on"}), (Sampling{.by_parent = false}));
}

TEST_F(OptionsTest, HelpNamesTheOptionsTheirVariablesAndDefaultsOnly) {
  Set("CLOUDFLARE_API_TOKEN", "canary");
  Set("PCAP_GATEWAY_UPSTREAM_PROXY", "http://user:canary@proxy");
  Set("PCAP_GATEWAY_REDIS_URL", "redis://:canary@cache");
  const std::string help = std::get<EarlyExit>(Read({"--help"})).text;
  const std::vector<Setting> settings = std::get<Options>(Read({})).settings;
  EXPECT_GT(settings.size(), 40u);
  for (const Setting& setting : settings) {
    EXPECT_THAT(help, HasSubstr(absl::StrCat("--", setting.name)));
  }
  for (const char* name : {"--config", "--version", "PCAP_GATEWAY_", "CLOUDFLARE_BASE_URL",
                           "CLOUDFLARE_ACCOUNT_ID", "127.0.0.1:50051", "64MiB"}) {
    EXPECT_THAT(help, HasSubstr(name));
  }
  EXPECT_THAT(help, AllOf(Not(HasSubstr("canary")), Not(EndsWith("\n"))));
}

TEST_F(OptionsTest, HelpLooksTheSameWithEveryCli11) {
  EXPECT_THAT(
      std::get<EarlyExit>(Read({"--help"})).text,
      AllOf(HasSubstr("limit.\nUsage: pcap-gateway [OPTIONS]\n\nOptions:\n  -h,--help       "),
            HasSubstr("\n\nListening:\n"
                      "  --listen TEXT=127.0.0.1:50051\n"
                      "                              HOST:PORT of the gRPC service; "),
            HasSubstr("\n  --insecure                  Listen without TLS"),
            HasSubstr("\n  --reflection,--no-reflection{false}\n")));
}

}  // namespace
}  // namespace pcap_gateway
