// pcapctl as a program: what it prints, where, and how it exits.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/support/is_proto.h"
#include "tests/support/self_signed.h"
#include "tests/unit/client/run_program.h"
#include "tests/unit/client/scripted_gateway.h"
#include "tests/unit/client/temporary_file.h"

namespace pcap_client {
namespace {

using pcap::v1::GetPcapResponse;
using pcap_gateway::IsProto;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

constexpr char kPcapId[] = "3d2b8c5f1a7e4960b1c2d3e4f5a60718";
constexpr char kAccountId[] = "0123456789abcdef0123456789abcdef";

ProgramRun Pcapctl(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
  return RunProgram(PCAPCTL_PATH, std::move(arguments), std::move(environment));
}

// pcapctl pointed at `gateway`.
ProgramRun PcapctlAt(const ScriptedGateway& gateway, std::vector<std::string> arguments) {
  return Pcapctl(std::move(arguments), {"PCAP_GATEWAY_ADDRESS=" + gateway.address()});
}

GetPcapResponse FullCapture() {
  GetPcapResponse response;
  auto& full = *response.mutable_pcap()->mutable_full();
  full.set_id(kPcapId);
  full.set_status(pcap::v1::PCAP_STATUS_COMPLETE);
  full.mutable_time_limit()->set_seconds(300);
  return response;
}

std::string CompactCapture() {
  return R"({"pcap":{"full":{"id":"3d2b8c5f1a7e4960b1c2d3e4f5a60718",)"
         R"("status":"PCAP_STATUS_COMPLETE","time_limit":"300s"}}})";
}

TEST(PcapctlGet, PrintsATable) {
  ScriptedGateway gateway;
  gateway.Answer(
      {.response = FullCapture(),
       .initial_metadata = {{"cache-status", "pcap-gateway; hit; ttl=27"}, {"age", "3"}}});
  const ProgramRun run = PcapctlAt(gateway, {"get", kPcapId});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, R"(Id          3d2b8c5f1a7e4960b1c2d3e4f5a60718
Form        full
Status      complete
Time limit  5 min
Cache       pcap-gateway; hit; ttl=27; age 3 s
)");
  EXPECT_THAT(run.err, IsEmpty());
}

TEST(PcapctlGet, PrintsTheAnswerAsJsonAndNothingElse) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  const ProgramRun run = PcapctlAt(gateway, {"get", "--json", kPcapId});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, IsEmpty());
  GetPcapResponse read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(run.out, &read).ok()) << run.out;
  EXPECT_EQ(read.SerializeAsString(), FullCapture().SerializeAsString());
  EXPECT_THAT(run.out, HasSubstr("\"time_limit\""));
}

TEST(PcapctlGet, AsksForWhatTheCommandLineSays) {
  ScriptedGateway gateway;
  ASSERT_EQ(PcapctlAt(gateway, {"get", "--account", kAccountId, "--max-age", "1m30.5s", kPcapId})
                .exit_code,
            0);
  const auto request = gateway.request();
  EXPECT_EQ(request.account_id(), kAccountId);
  EXPECT_EQ(request.pcap_id(), kPcapId);
  EXPECT_EQ(request.max_age().seconds(), 90);
  EXPECT_EQ(request.max_age().nanos(), 500'000'000);
  EXPECT_THAT(gateway.request_metadata(),
              Contains(Pair("user-agent", StartsWith("pcapctl/" PCAPCTL_VERSION " "))));
}

TEST(PcapctlGet, WithoutOptionsLeavesThemToTheGateway) {
  ScriptedGateway gateway;
  ASSERT_EQ(PcapctlAt(gateway, {"get", kPcapId}).exit_code, 0);
  EXPECT_THAT(gateway.request().account_id(), IsEmpty());
  EXPECT_FALSE(gateway.request().has_max_age());
  EXPECT_EQ(gateway.request_metadata().count("authorization"), 0u);
}

TEST(PcapctlGet, AMaxAgeOfZeroIsSent) {
  ScriptedGateway gateway;
  ASSERT_EQ(PcapctlAt(gateway, {"get", "--max-age", "0", kPcapId}).exit_code, 0);
  EXPECT_TRUE(gateway.request().has_max_age());
  EXPECT_EQ(gateway.request().max_age().seconds(), 0);
}

TEST(PcapctlGet, FoldsIdsAsPeoplePasteThem) {
  ScriptedGateway gateway;
  const std::string pasted = "3D2B8C5F-1A7E-4960-B1C2-D3E4F5A60718";
  for (const char* const command : {"get", "wait"}) {
    gateway.Answer({.response = FullCapture()});
    EXPECT_EQ(PcapctlAt(gateway, {command, "--account", pasted, pasted}).exit_code, 0);
    EXPECT_EQ(gateway.request().pcap_id(), kPcapId);
    EXPECT_EQ(gateway.request().account_id(), kPcapId);
  }
}

TEST(PcapctlGet, SaysWhatIsWrongWithAnIdAndDoesNotAsk) {
  const struct {
    std::vector<std::string> arguments;
    const char* said;
  } all[] = {
      {{"../x"}, "`../x` is no id, which is 32 hex digits: character 1, `.`, is none\n"},
      {{"3d2b8c5f1a7e4960b1c2d3e4f5a6071"}, "hex digits: it has 31\n"},
      {{"3d2b8c5f1a7e4960b1c2d3e4f5a60718a"}, "hex digits: it has 33\n"},
      {{"3d2b8c5f1a7e4960b1c2d3e4f5a6é718"}, "hex digits: character 29, `é`, is none\n"},
      {{"3d-2b8c5f1a7e4960b1c2d3e4f5a60718"}, "hex digits: character 3, `-`, is none\n"},
      {{""}, "hex digits: it has 0\n"},
      {{"\x1b[2J"}, "character 1, `\\x1b`, is none\n"},
      {{"--account", "O1", kPcapId},
       "--account: `O1` is no id, which is 32 hex digits: character 1"},
  };
  ScriptedGateway gateway;
  for (const auto& [words, said] : all) {
    for (const char* const command : {"get", "wait"}) {
      std::vector<std::string> arguments = {command};
      arguments.insert(arguments.end(), words.begin(), words.end());
      const ProgramRun run = PcapctlAt(gateway, arguments);
      EXPECT_EQ(run.exit_code, 3);
      EXPECT_THAT(run.err, StartsWith("pcapctl: INVALID_ARGUMENT: "));
      EXPECT_THAT(run.err, HasSubstr(said));
      EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    }
  }
  EXPECT_EQ(gateway.calls(), 0);
}

TEST(Pcapctl, AShortOptionTakesAnEqualsSign) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  const ProgramRun run = PcapctlAt(gateway, {"get", "-o=name", kPcapId});
  EXPECT_EQ(run.out, absl::StrCat(kPcapId, "\n")) << run.err;
}

TEST(Pcapctl, OptionsStandBeforeAndAfterTheCommand) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  const std::string json = PcapctlAt(gateway, {"get", "-o", "json", kPcapId}).out;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"-o", "json", "get", kPcapId},
        {"-ojson", "--color", "never", "get", kPcapId},
        {"--output=json", "get", kPcapId},
        {"--json", "get", kPcapId},
        {"--account", kAccountId, "get", kPcapId, "--json"}}) {
    const ProgramRun run = PcapctlAt(gateway, arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.out, json);
  }
}

TEST(PcapctlGet, TakesIdsInTheOrderGivenAroundOptions) {
  ScriptedGateway gateway;
  const ProgramRun run =
      PcapctlAt(gateway, {"-o", "name", "get", kPcapId, "--timeout", "5s", kAccountId});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, absl::StrCat(kPcapId, "\n", kAccountId, "\n"));
}

TEST(PcapctlGet, OfSeveralPrintsOneJsonArrayOrALineEach) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  gateway.Answer({.code = absl::StatusCode::kNotFound});
  const std::string one = R"(  {
    "pcap": {
      "full": {
        "id": "3d2b8c5f1a7e4960b1c2d3e4f5a60718",
        "status": "PCAP_STATUS_COMPLETE",
        "time_limit": "300s"
      }
    }
  }
)";
  const ProgramRun run = PcapctlAt(gateway, {"get", "--json", kPcapId, "none"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.out, absl::StrCat("[\n", one, "]\n"));
  ScriptedGateway again;
  again.Answer({.response = FullCapture()});
  EXPECT_EQ(PcapctlAt(again, {"get", "-o", "jsonl", kPcapId, kPcapId}).out,
            absl::StrCat(CompactCapture(), "\n", CompactCapture(), "\n"));
  EXPECT_EQ(PcapctlAt(again, {"get", "-o", "jsonl", kPcapId}).out,
            absl::StrCat(CompactCapture(), "\n"));
}

TEST(PcapctlGet, ARowThatFailedSaysWhy) {
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kNotFound});
  for (const char* const command : {"get", "wait"}) {
    const ProgramRun run = PcapctlAt(gateway, {command, kPcapId, kAccountId});
    EXPECT_EQ(run.exit_code, 5);
    EXPECT_THAT(run.out, HasSubstr("REASON\n"));
    EXPECT_THAT(run.out, HasSubstr(absl::StrCat(kAccountId, "  ")));
    EXPECT_THAT(run.out, HasSubstr("NOT_FOUND\n"));
  }
}

TEST(PcapctlGet, WideListsOneTooWithItsTimes) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  const ProgramRun run = PcapctlAt(gateway, {"get", "-o", "wide", kPcapId});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, StartsWith("ID "));
  EXPECT_THAT(run.out, HasSubstr("TIME LIMIT"));
  EXPECT_THAT(run.out, HasSubstr("5 min"));
}

// No output hides or reorders text; JSON and YAML lose nothing by it.
TEST(PcapctlGet, EscapesWhatATerminalWouldActOnInEveryFormat) {
  GetPcapResponse response = FullCapture();
  const std::string odd =
      "a\xE2\x80\xAE"
      "b\xE2\x80\x8B\x7F\xC2\x9B\xF3\xA0\x81\x81"
      "京";
  response.mutable_pcap()->mutable_full()->set_colo_name(odd);
  ScriptedGateway gateway;
  gateway.Answer({.response = response});
  for (const char* const format : {"table", "wide", "json", "jsonl", "yaml", "name"}) {
    const std::string out = PcapctlAt(gateway, {"get", "-o", format, kPcapId}).out;
    for (const char* const unsafe :
         {"\xE2\x80\xAE", "\xE2\x80\x8B", "\x7F", "\xC2\x9B", "\xF3\xA0\x81\x81"}) {
      EXPECT_THAT(out, Not(HasSubstr(unsafe))) << format;
    }
    if (absl::string_view(format) != "name") {
      EXPECT_THAT(out, HasSubstr("京")) << format;
    }
  }
  GetPcapResponse read;
  const std::string json = PcapctlAt(gateway, {"get", "-o", "json", kPcapId}).out;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &read).ok()) << json;
  EXPECT_EQ(read.pcap().full().colo_name(), odd);
  const std::string yaml = PcapctlAt(gateway, {"get", "-o", "yaml", kPcapId}).out;
  EXPECT_EQ(YAML::Load(yaml)["pcap"]["full"]["colo_name"].Scalar(), odd);
}

TEST(PcapctlGet, TheFlagWinsOverTheEnvironmentOnEitherSideOfTheCommand) {
  ScriptedGateway gateway;
  const std::vector<std::string> wrong = {"PCAP_GATEWAY_ADDRESS=nowhere.invalid:1"};
  EXPECT_EQ(Pcapctl({"--address", gateway.address(), "get", kPcapId}, wrong).exit_code, 0);
  EXPECT_EQ(Pcapctl({"get", kPcapId, "--address", gateway.address()}, wrong).exit_code, 0);
}

TEST(PcapctlGet, ProxiesOfTheEnvironmentAreNotAsked) {
  ScriptedGateway gateway;
  EXPECT_EQ(Pcapctl({"--address", gateway.address(), "get", kPcapId},
                    {"http_proxy=http://127.0.0.1:1", "grpc_proxy=http://127.0.0.1:1"})
                .exit_code,
            0);
}

TEST(PcapctlGet, SendsTheTokenOfAFile) {
  ScriptedGateway gateway;
  const TemporaryFile token("  secret-token\n");
  ASSERT_EQ(PcapctlAt(gateway, {"get", "--api-token-file", token.path(), kPcapId}).exit_code, 0);
  EXPECT_THAT(gateway.request_metadata(), Contains(Pair("authorization", "Bearer secret-token")));
}

TEST(PcapctlGet, ATokenThatCannotBeSentIsNotShown) {
  ScriptedGateway gateway;
  const TemporaryFile token("secret\ntoken");
  const ProgramRun run = PcapctlAt(gateway, {"get", "--api-token-file", token.path(), kPcapId});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.err, HasSubstr("authorization"));
  EXPECT_THAT(run.err, Not(HasSubstr("secret")));
}

TEST(PcapctlGet, ATokenFileThatHoldsNoneIsAUsageError) {
  ScriptedGateway gateway;
  const TemporaryFile empty("\n");
  for (const std::string& path : {empty.path(), std::string("/nowhere")}) {
    const ProgramRun run = PcapctlAt(gateway, {"get", "--api-token-file", path, kPcapId});
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_THAT(run.err, HasSubstr("--api-token-file"));
  }
  EXPECT_EQ(gateway.calls(), 0);
}

TEST(PcapctlGet, ExitsWithTheCodesNumber) {
  for (int code = 1; code <= 16; ++code) {
    ScriptedGateway gateway;
    gateway.Answer({.code = static_cast<absl::StatusCode>(code)});
    EXPECT_EQ(PcapctlAt(gateway, {"get", kPcapId}).exit_code, code);
  }
}

TEST(PcapctlGet, TellsAnErrorOnStderr) {
  google::rpc::ErrorInfo info;
  info.set_reason("PCAP_NOT_FOUND");
  google::rpc::Status details;
  ASSERT_TRUE(details.add_details()->PackFrom(info));
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kNotFound,
                  .message = "no such capture",
                  .details = details.SerializeAsString(),
                  .trailing_metadata = {{"x-request-id", "r-1"}}});
  const ProgramRun run = PcapctlAt(gateway, {"get", "--json", kPcapId});
  EXPECT_EQ(run.exit_code, 5);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_EQ(run.err,
            "pcapctl: NOT_FOUND: no such capture\n"
            "  reason      PCAP_NOT_FOUND\n"
            "  request id  r-1\n");
}

TEST(PcapctlGet, EndsAtItsTimeout) {
  ScriptedGateway gateway;
  gateway.Answer({.never = true});
  EXPECT_EQ(PcapctlAt(gateway, {"get", "--timeout", "50ms", kPcapId}).exit_code, 4);
}

TEST(PcapctlGet, AnAnswerThatCannotBeWrittenIsAFailure) {
  ScriptedGateway gateway;
  const ProgramRun run =
      RunProgram(PCAPCTL_PATH, {"--address", gateway.address(), "get", kPcapId}, {}, "/dev/full");
  EXPECT_EQ(run.exit_code, 15);
  EXPECT_EQ(run.err, "pcapctl: DATA_LOSS: cannot write to stdout\n");
}

TEST(PcapctlGet, OfSeveralPrintsALineEachInTheOrderAsked) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  const ProgramRun run = PcapctlAt(gateway, {"get", kPcapId, kPcapId, kPcapId});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(gateway.calls(), 3);
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 4) << run.out;
  EXPECT_THAT(run.out, StartsWith("ID "));
}

TEST(PcapctlGet, OfSeveralTellsEachErrorAndExitsWithTheFirstOfThem) {
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kNotFound});
  const ProgramRun run = PcapctlAt(gateway, {"get", "-o", "json", kPcapId, kAccountId});
  EXPECT_EQ(run.exit_code, 5);
  EXPECT_EQ(run.out, "[]\n");  // what reads it finds an array, whatever became of the captures
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat("pcapctl: ", kPcapId, ": NOT_FOUND: ")));
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat("pcapctl: ", kAccountId, ": NOT_FOUND: ")));
}

TEST(PcapctlGet, PrintsYaml) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  const ProgramRun run = PcapctlAt(gateway, {"get", "--output", "yaml", kPcapId, kPcapId});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, StartsWith("---\npcap:\n  full:\n    id: \"3d2b"));
  EXPECT_THAT(run.out, HasSubstr("\n---\npcap:"));
}

TEST(PcapctlGet, ColoursOnlyWhenAsked) {
  ScriptedGateway gateway;
  gateway.Answer({.response = FullCapture()});
  EXPECT_THAT(PcapctlAt(gateway, {"get", kPcapId}).out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(PcapctlAt(gateway, {"get", "--color", "always", kPcapId}).out,
              HasSubstr("\x1b[32mcomplete\x1b[0m"));
}

TEST(PcapctlTls, ConnectsByTlsAndChecksTheName) {
  const SelfSigned identity("localhost");
  ScriptedGateway gateway(identity);
  gateway.Answer({.response = FullCapture()});
  const TemporaryFile ca(identity.certificate);
  const std::vector<std::string> get = {"get",     kPcapId,     "--tls-ca-file",
                                        ca.path(), "--timeout", "5s"};
  auto named = get;
  named.insert(named.end(), {"--tls-server-name", "localhost"});
  EXPECT_EQ(PcapctlAt(gateway, named).exit_code, 0);
  EXPECT_EQ(PcapctlAt(gateway, get).exit_code, 14);  // the certificate is not for 127.0.0.1
  EXPECT_EQ(PcapctlAt(gateway, {"get", kPcapId, "--tls", "--timeout", "5s"}).exit_code, 14);
}

TEST(PcapctlTls, SaysWhichSideSpeaksIt) {
  const ScriptedGateway with(SelfSigned("localhost"));
  const ScriptedGateway without;
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"get", kPcapId}, {"wait", kPcapId}, {"status"}}) {
    const ProgramRun plaintext = PcapctlAt(with, command);
    EXPECT_EQ(plaintext.exit_code, 14);
    EXPECT_EQ(plaintext.err, absl::StrCat("pcapctl: UNAVAILABLE: the gateway at ", with.address(),
                                          " speaks TLS: try --tls\n"));
    std::vector<std::string> with_tls = command;
    with_tls.emplace_back("--tls");
    const ProgramRun tls = PcapctlAt(without, with_tls);
    EXPECT_EQ(tls.exit_code, 14);
    EXPECT_EQ(tls.err, absl::StrCat("pcapctl: UNAVAILABLE: the gateway at ", without.address(),
                                    " does not speak TLS: try --no-tls\n"));
  }
}

TEST(PcapctlContext, GivesWhatNeitherOptionsNorEnvironmentSay) {
  ScriptedGateway gateway;
  const TemporaryFile config(
      absl::StrCat("current-context: here\ncontexts:\n  here:\n    address: ", gateway.address(),
                   "\n    account: ", kAccountId, "\n  nowhere: {address: 'nowhere.invalid:1'}\n"));
  const std::vector<std::string> environment = {"PCAPCTL_CONFIG=" + config.path()};
  EXPECT_EQ(Pcapctl({"get", kPcapId}, environment).exit_code, 0);
  EXPECT_EQ(gateway.request().account_id(), kAccountId);
  EXPECT_EQ(Pcapctl({"get", "--account", kPcapId, kPcapId}, environment).exit_code, 0);
  EXPECT_EQ(gateway.request().account_id(), kPcapId);
  EXPECT_EQ(
      Pcapctl({"--context", "nowhere", "--address", gateway.address(), "get", kPcapId}, environment)
          .exit_code,
      0);
  const ProgramRun list = Pcapctl({"contexts", "--config", config.path()});
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.out, HasSubstr("*        here     " + gateway.address()));
  EXPECT_EQ(Pcapctl({"contexts", "--names"}, environment).out, "here\nnowhere\n");
}

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PcapctlContexts, AddsUsesAndRemoves) {
  ScriptedGateway gateway;
  const std::string folder = absl::StrCat(testing::TempDir(), "contexts.", getpid());
  const std::string path = folder + "/pcapctl/config.yaml";
  // An address that this shell has set is not one that was typed.
  const std::vector<std::string> environment = {"XDG_CONFIG_HOME=" + folder,
                                                "PCAP_GATEWAY_ADDRESS=nowhere.invalid:1"};
  const TemporaryFile token("secret-token\n");
  EXPECT_THAT(Pcapctl({"contexts", "add", "get"}, environment).err, HasSubstr("--address: needed"));
  const ProgramRun added = Pcapctl({"contexts", "add", "get", "--address", gateway.address(),
                                    "--api-token-file", token.path(), "--account", kAccountId},
                                   environment);
  EXPECT_EQ(added.exit_code, 0) << added.err;
  EXPECT_EQ(added.out, absl::StrCat("context `get` is added, as the current one, in ", path, "\n"));
  EXPECT_EQ(Pcapctl({"contexts", "add", "b", "--address", "b:1"}, environment).out,
            absl::StrCat("context `b` is added, in ", path, "\n"));
  EXPECT_EQ(Pcapctl({"get", kPcapId}, {environment.front()}).exit_code, 0);
  EXPECT_THAT(gateway.request_metadata(), Contains(Pair("authorization", "Bearer secret-token")));
  EXPECT_EQ(gateway.request().account_id(), kAccountId);

  const ProgramRun used =
      Pcapctl({"contexts", "use", "b"}, {environment.front(), "PCAPCTL_CONTEXT=get"});
  EXPECT_EQ(used.out, absl::StrCat("context `b` is the current one now, in ", path, "\n"));
  EXPECT_THAT(used.err, HasSubstr("PCAPCTL_CONTEXT says `get`"));
  EXPECT_THAT(Pcapctl({"contexts"}, environment).out, HasSubstr("*        b     b:1"));
  EXPECT_THAT(Pcapctl({"contexts", "remove", "b"}, environment).out,
              HasSubstr("is removed; none is the current one now"));
  EXPECT_EQ(Pcapctl({"contexts", "--names"}, environment).out, "get\n");
  std::filesystem::remove_all(folder);
}

TEST(PcapctlContexts, KeepsTheModeTheLinkAndWhatCommentsSaid) {
  const TemporaryFile config("# mine\ncontexts:\n  a: {address: 'a#:1'}\n");
  ASSERT_EQ(chmod(config.path().c_str(), 0640), 0);
  const std::string link = config.path() + ".link";
  ASSERT_EQ(symlink(config.path().c_str(), link.c_str()), 0);
  const ProgramRun used = Pcapctl({"--config", link, "contexts", "use", "a"});
  EXPECT_EQ(used.exit_code, 0) << used.err;
  const std::string kept = link + ".bak";
  EXPECT_THAT(used.err, HasSubstr("comments are not kept; the file as it was: " + kept));
  // No comment is left, so that there is nothing to keep, and nothing to overwrite it with.
  EXPECT_THAT(Pcapctl({"--config", link, "contexts", "add", "b", "--address", "b:1"}).err,
              IsEmpty());
  EXPECT_THAT(ContentOf(kept), StartsWith("# mine\n"));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  struct stat now;
  ASSERT_EQ(stat(config.path().c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 07777, 0640u);
  unlink(kept.c_str());
  unlink(link.c_str());
}

TEST(PcapctlContexts, RefusesWhatWouldNotWorkAndLeavesTheFileAlone) {
  const std::string yaml = "current-context: a\ncontexts:\n  a:\n    address: a:1\n";
  const TemporaryFile config(yaml);
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"adn", "b"}, "`contexts` has no `adn`; did you mean `pcapctl contexts add`?"},
      {{"delete", "a"}, "there are use, add, remove"},
      {{"a"}, "did you mean `pcapctl contexts use a`?"},
      {{"help"}, "`contexts` has no `help`"},
      {{"use"}, "`contexts use` needs a name"},
      {{"use", "aa"}, "there is no context `aa`; did you mean `a`?"},
      {{"remove", "production"}, "there is no context `production`; there are: a"},
      {{"use", "a", "b"}, "more arguments than the command has: b"},
      {{"use", "a", "--account", kAccountId}, "--account is of `contexts add` alone"},
      {{"remove", "a", "--tls"}, "--tls is of `contexts add` alone"},
      {{"--names", "use", "a"}, "--names is of the list alone"},
      {{"add", "a", "--address", "b:1"}, "there is a context `a` already"},
      {{"add", "b"}, "--address: needed"},
      {{"add", "b", "--address", "http://b:1"}, "without http:// or https://"},
      {{"add", "b", "--address", "b:1", "--account", "me"}, "--account: `me` is no id"},
      {{"add", "b", "--address", "b:1", "--timeout", "0"}, "--timeout"},
      {{"add", "b", "--address", "b:1", "--tls-cert-file", config.path()}, "--tls-key-file"},
      {{"add", "b", "--address", "b:1", "--tls-ca-file", "/nowhere"},
       "--tls-ca-file: cannot read /nowhere: No such file"},
      {{"add", "b", "--address", "b:1", "--api-token-file", "/dev/null"}, "/dev/null is empty"},
      {{"add", "b\nc", "--address", "b:1"}, "a context's name has a control character"},
      {{"add", "b\xff", "--address", "b:1"}, "`b\\xff` has a character that does not print"},
      {{"add", "b", "--address", "b:1", "--tls-server-name", "\u202e"}, "--tls-server-name: `"},
  };
  for (const auto& [words, why] : cases) {
    std::vector<std::string> arguments = {"--config", config.path(), "contexts"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const ProgramRun run = Pcapctl(arguments);
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, HasSubstr(why));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
  EXPECT_EQ(ContentOf(config.path()), yaml);
}

TEST(PcapctlContexts, AFileThatCannotBeWrittenIsAFailure) {
  const ProgramRun run =
      Pcapctl({"--config", "/nowhere/config", "contexts", "add", "a", "--address", "a:1"});
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_THAT(run.err, HasSubstr("cannot write /nowhere/config: No such file"));
}

// Of whatever kind they are: read within a bound, and told by name.
TEST(Pcapctl, FilesThatCannotBeReadAreOneClearLine) {
  for (const char* const option :
       {"--config", "--tls-ca-file", "--tls-cert-file", "--tls-key-file", "--api-token-file"}) {
    const std::pair<const char*, const char*> files[] = {
        {"/nowhere", "No such file or directory"},
        {"/tmp", "Is a directory"},
        {"/dev/zero", "it holds more than 1 MiB"},
    };
    for (const auto& [path, why] : files) {
      std::vector<std::string> get = {"get", kPcapId, option, path};
      // These two go together.
      const TemporaryFile pem("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n");
      if (option == std::string("--tls-cert-file")) {
        get.insert(get.end(), {"--tls-key-file", pem.path()});
      } else if (option == std::string("--tls-key-file")) {
        get.insert(get.end(), {"--tls-cert-file", pem.path()});
      }
      const ProgramRun run = Pcapctl(get);
      EXPECT_EQ(run.exit_code, 2);
      EXPECT_EQ(run.err, absl::StrCat("pcapctl: ", option, ": cannot read ", path, ": ", why,
                                      " (see pcapctl --help)\n"));
    }
  }
}

TEST(PcapctlGet, OfStdinTakesSoManyIdsAndNoMore) {
  const ProgramRun run =
      RunProgram("/bin/sh", {"-c", absl::StrCat("exec ", PCAPCTL_PATH, " get - < /dev/zero")});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("PCAP_ID: stdin has more than 100000"));
}

GetPcapResponse WithStatus(pcap::v1::PcapStatus status) {
  GetPcapResponse response = FullCapture();
  response.mutable_pcap()->mutable_full()->set_status(status);
  return response;
}

TEST(PcapctlWait, AsksUntilTheCaptureIsFinalAndPrintsIt) {
  ScriptedGateway gateway;
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_PENDING)});
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_RUNNING)});
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_RUNNING)});
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_COMPLETE)});
  const ProgramRun run = PcapctlAt(gateway, {"wait", "--interval", "1ms", kPcapId});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(gateway.calls(), 4);
  EXPECT_THAT(run.out, HasSubstr("Status      complete\n"));
  // A line for each change, and none for the second `running`.
  EXPECT_EQ(run.err,
            absl::StrCat(kPcapId, "  pending\n", kPcapId, "  running\n", kPcapId, "  complete\n"));
}

TEST(PcapctlWait, ForACaptureThatFailedIsExitCode9) {
  ScriptedGateway gateway;
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_FAILED)});
  const ProgramRun run = PcapctlAt(gateway, {"wait", kPcapId, "-o", "json"});
  EXPECT_EQ(run.exit_code, 9);
  EXPECT_THAT(run.out, HasSubstr("PCAP_STATUS_FAILED"));
}

TEST(PcapctlWait, EndsAtWhatDoesNotPass) {
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kNotFound});
  EXPECT_EQ(PcapctlAt(gateway, {"wait", kPcapId}).exit_code, 5);
  EXPECT_EQ(gateway.calls(), 1);
}

TEST(PcapctlWait, WaitsOutWhatPasses) {
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kResourceExhausted});
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_SUCCESS)});
  EXPECT_EQ(PcapctlAt(gateway, {"wait", kPcapId}).exit_code, 0);
  EXPECT_EQ(gateway.calls(), 2);
}

TEST(PcapctlWait, TellsTheCauseAtEachChange) {
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kResourceExhausted, .message = "too\x1b[2J much"});
  gateway.Answer({.code = absl::StatusCode::kResourceExhausted, .message = "still too much"});
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_SUCCESS)});
  EXPECT_EQ(PcapctlAt(gateway, {"wait", kPcapId}).err,
            absl::StrCat(kPcapId, "  RESOURCE_EXHAUSTED: too\\x1b[2J much\n", kPcapId,
                         "  RESOURCE_EXHAUSTED: still too much\n", kPcapId, "  success\n"));
}

// A server of this test's that is gone: nobody listens there.
std::string AddressOfNobody() { return ScriptedGateway().address(); }

TEST(PcapctlWait, EndsAtOnceWhereThereNeverWasAConnection) {
  const struct {
    std::string address;
    const char* cause;
  } all[] = {{AddressOfNobody(), "Connection refused"}, {"gateway.invalid:1", "gateway.invalid"}};
  for (const auto& [address, cause] : all) {
    const ProgramRun run =
        Pcapctl({"wait", kPcapId, "--address", address, "--timeout", "1h", "--interval", "1h"});
    EXPECT_EQ(run.exit_code, 14);
    EXPECT_THAT(run.err, StartsWith("pcapctl: UNAVAILABLE: "));
    EXPECT_THAT(run.err, HasSubstr(cause));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
}

TEST(PcapctlWait, WaitsOutAGatewayThatWasThereOnce) {
  auto gateway = std::make_unique<ScriptedGateway>();
  gateway->Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_RUNNING)});
  gateway->Answer({.never = true});
  const std::string address = gateway->address();
  ProgramRun run;
  std::thread waiting([&] {
    run = Pcapctl({"wait", "--interval", "1ms", "--timeout", "4s", "--address", address, kPcapId});
  });
  gateway->AwaitNever();
  gateway.reset();
  waiting.join();
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, HasSubstr("DEADLINE_EXCEEDED: not final in time; last seen: UNAVAILABLE: "));
}

TEST(PcapctlWait, TakesAContextsTimeoutForThatOfEachCall) {
  ScriptedGateway gateway;
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_RUNNING)});
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_RUNNING)});
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_SUCCESS)});
  const TemporaryFile config(
      absl::StrCat("current-context: here\ncontexts:\n  here:\n    timeout: 500ms\n    address: ",
                   gateway.address(), "\n"));
  EXPECT_EQ(Pcapctl({"wait", "--interval", "400ms", "--config", config.path(), kPcapId}).exit_code,
            0);
}

TEST(PcapctlWait, EndsAtItsTimeoutWithWhatItKnows) {
  ScriptedGateway gateway;
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_RUNNING)});
  const ProgramRun run =
      PcapctlAt(gateway, {"wait", "--interval", "20ms", "--timeout", "200ms", kPcapId});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.out, HasSubstr("running"));
  EXPECT_THAT(run.err, HasSubstr("DEADLINE_EXCEEDED: not final in time; last seen: running"));
}

TEST(PcapctlWait, AQuestionThatItsTimeoutCutShortIsNoNews) {
  ScriptedGateway gateway;
  gateway.Answer({.response = WithStatus(pcap::v1::PCAP_STATUS_RUNNING)});
  gateway.Answer({.never = true});
  const ProgramRun run =
      PcapctlAt(gateway, {"wait", "--interval", "1ms", "--timeout", "2s", kPcapId});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, HasSubstr("DEADLINE_EXCEEDED: not final in time; last seen: running"));
}

TEST(PcapctlWait, IsGoneAtOnceWhenTheGatewayNeverAnswers) {
  ScriptedGateway gateway;
  gateway.Answer({.never = true});
  EXPECT_EQ(PcapctlAt(gateway, {"wait", "--timeout", "50ms", kPcapId}).exit_code, 4);
}

// Without figures: at the usual admin port may be a gateway that is not the test's.
ProgramRun StatusOf(const std::string& address) {
  return Pcapctl({"status", "--address", address, "--admin-address", "127.0.0.1:1"});
}

TEST(PcapctlStatus, SaysThatTheGatewayServes) {
  ScriptedGateway gateway;
  gateway.SetServing("pcap.v1.PcapService", true);
  const ProgramRun run = StatusOf(gateway.address());
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, StartsWith(absl::StrCat("Address              ", gateway.address(),
                                               "\n"
                                               "Gateway              serving\n"
                                               "pcap.v1.PcapService  serving\n")));
  EXPECT_THAT(run.err, IsEmpty());
}

TEST(PcapctlStatus, SaysWhichPartDoesNotServe) {
  ScriptedGateway gateway;
  gateway.SetServing("pcap.v1.PcapService", false);
  const ProgramRun run = StatusOf(gateway.address());
  EXPECT_EQ(run.exit_code, 14);
  EXPECT_THAT(run.out, HasSubstr("Gateway              serving\n"));
  EXPECT_THAT(run.out, HasSubstr("pcap.v1.PcapService  not serving\n"));
}

TEST(PcapctlStatus, AServerWithoutTheServiceIsNotServing) {
  ScriptedGateway gateway;
  const ProgramRun run = StatusOf(gateway.address());
  EXPECT_EQ(run.exit_code, 14);
  EXPECT_THAT(run.out, HasSubstr("pcap.v1.PcapService  not there\n"));
}

TEST(PcapctlStatus, SaysThatNobodyAnswers) {
  std::string address;
  {
    const ScriptedGateway gone;
    address = gone.address();
  }
  const ProgramRun run = StatusOf(address);
  EXPECT_EQ(run.exit_code, 14);
  EXPECT_THAT(run.out, StartsWith(absl::StrCat("Address  ", address, "\nGateway  no answer\n")));
  EXPECT_THAT(run.err, StartsWith("pcapctl: UNAVAILABLE: "));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1);
}

// --- list, create, stop, download

TEST(PcapctlList, PrintsALineEachAndTheSameJsonAsGet) {
  ScriptedGateway gateway;
  pcap::v1::ListPcapsResponse list;
  *list.add_pcaps() = FullCapture().pcap();
  gateway.Answer({.list = list});
  const ProgramRun run = PcapctlAt(gateway, {"list", "--account", kAccountId, "--max-age", "0"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, StartsWith("ID "));
  EXPECT_THAT(run.out, HasSubstr(kPcapId));
  const auto request = gateway.RequestAs<pcap::v1::ListPcapsRequest>();
  EXPECT_EQ(request.account_id(), kAccountId);
  EXPECT_TRUE(request.has_max_age());
  EXPECT_EQ(PcapctlAt(gateway, {"list", "-o", "jsonl"}).out, CompactCapture() + "\n");
  EXPECT_THAT(PcapctlAt(gateway, {"list", "--json"}).out, StartsWith("[\n  {\n    \"pcap\": {"));
  EXPECT_EQ(PcapctlAt(gateway, {"list", "-o", "name"}).out, absl::StrCat(kPcapId, "\n"));
}

TEST(PcapctlList, OfNoneIsNoError) {
  ScriptedGateway gateway;
  const ProgramRun run = PcapctlAt(gateway, {"list"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_EQ(run.err, "pcapctl: there are no captures\n");
  EXPECT_EQ(PcapctlAt(gateway, {"list", "--json"}).out, "[]\n");
}

TEST(PcapctlCreate, SendsWhatTheCommandLineSaysAndPrintsTheCapture) {
  ScriptedGateway gateway;
  pcap::v1::CreatePcapResponse created;
  created.mutable_pcap()->mutable_simple()->set_id(kPcapId);
  gateway.Answer({.created = created});
  const ProgramRun run = PcapctlAt(gateway, {"--account",
                                             kAccountId,
                                             "create",
                                             "-o",
                                             "name",
                                             "simple",
                                             "--time-limit",
                                             "10s",
                                             "--packet-limit",
                                             "100",
                                             "--source-address",
                                             "192.0.2.1",
                                             "--destination-port",
                                             "0",
                                             "--protocol",
                                             "UDP",
                                             "--offset-time",
                                             "2026-11-29T13:45:00.5Z",
                                             "--request-id",
                                             "r"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, absl::StrCat(kPcapId, "\n"));
  EXPECT_THAT(
      gateway.RequestAs<pcap::v1::CreatePcapRequest>(),
      IsProto(absl::StrCat("account_id: '", kAccountId,
                           "' simple { time_limit { seconds: 10 } packet_limit: 100 filter_v1 { "
                           "destination_port: 0 protocol: 17 source_address: '192.0.2.1' } "
                           "offset_time { seconds: 1795959900 nanos: 500000000 } } "
                           "request_id: 'r'")));
}

TEST(PcapctlCreate, ASimpleOneNeedsNoOptionsAndHasARequestIdOfItsOwn) {
  ScriptedGateway gateway;
  std::string ids[2];
  for (std::string& id : ids) {
    ASSERT_EQ(PcapctlAt(gateway, {"create", "simple"}).exit_code, 0);
    const auto request = gateway.RequestAs<pcap::v1::CreatePcapRequest>();
    EXPECT_EQ(request.simple().time_limit().seconds(), 60);
    EXPECT_EQ(request.simple().packet_limit(), 10'000);
    EXPECT_FALSE(request.simple().has_filter_v1());
    id = request.request_id();
    EXPECT_THAT(id, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                 "[0-9a-f]{12}"));
  }
  EXPECT_NE(ids[0], ids[1]);
}

constexpr char kBucket[] =
    "r2://bucket?account-id=1&access-key-id=AKIACANARY&secret-access-key=s3cr3t&region=eu";

TEST(PcapctlCreate, ADryRunSendsNothingAndShowsNoSecret) {
  ScriptedGateway gateway;
  const TemporaryFile bucket(std::string(kBucket) + "\n");
  const std::vector<std::string> full = {"create",      "full",         "--time-limit",
                                         "1h",          "--colo-name",  "ord02",
                                         "--account",   kAccountId,     "--byte-limit",
                                         "5",           "--dry-run",    "--destination-conf-file",
                                         bucket.path(), "--request-id", "r"};
  const ProgramRun run = PcapctlAt(gateway, full);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, R"({
  "account_id": "0123456789abcdef0123456789abcdef",
  "full": {
    "time_limit": "3600s",
    "colo_name": "ord02",
    "destination_conf": "r2://bucket?account-id=1&access-key-id=REDACTED&secret-access-key=REDACTED&region=eu",
    "byte_limit": "5"
  },
  "request_id": "r"
}
)");
  std::vector<std::string> yaml = full;
  yaml.insert(yaml.end(), {"-o", "yaml"});
  EXPECT_THAT(PcapctlAt(gateway, yaml).out, StartsWith("---\naccount_id: "));
  EXPECT_EQ(PcapctlAt(gateway, {"stop", "--dry-run", kPcapId}).out,
            absl::StrCat("{\n  \"pcap_id\": \"", kPcapId, "\"\n}\n"));
  EXPECT_EQ(gateway.calls(), 0);
  std::vector<std::string> real = full;
  real.erase(std::find(real.begin(), real.end(), "--dry-run"));
  EXPECT_EQ(PcapctlAt(gateway, real).exit_code, 0);
  EXPECT_EQ(gateway.RequestAs<pcap::v1::CreatePcapRequest>().full().destination_conf(), kBucket);
}

TEST(PcapctlCreate, OfAnOutcomeThatIsNotKnownSaysHowToTryAgain) {
  for (const absl::StatusCode code : {absl::StatusCode::kUnknown, absl::StatusCode::kUnavailable}) {
    ScriptedGateway gateway;
    gateway.Answer({.code = code});
    const ProgramRun run = PcapctlAt(gateway, {"create", "simple", "--request-id", "r-7"});
    EXPECT_EQ(run.exit_code, static_cast<int>(code));
    EXPECT_EQ(gateway.calls(), 1);
    EXPECT_THAT(run.err, HasSubstr("with --request-id r-7, within ten minutes, makes no second"));
  }
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kInvalidArgument});
  EXPECT_THAT(PcapctlAt(gateway, {"create", "simple"}).err, Not(HasSubstr("--request-id")));
  EXPECT_THAT(Pcapctl({"create", "simple", "--address", AddressOfNobody()}).err,
              Not(HasSubstr("--request-id")));
}

TEST(PcapctlStop, StopsEachAndTellsTheFirstFailure) {
  ScriptedGateway gateway;
  gateway.Answer({.code = absl::StatusCode::kNotFound});
  gateway.Answer({});
  const ProgramRun run = PcapctlAt(gateway, {"stop", kPcapId, "nonsense", kAccountId});
  EXPECT_EQ(run.exit_code, 5);
  EXPECT_EQ(run.out, absl::StrCat(kAccountId, "\n"));
  EXPECT_THAT(run.err, HasSubstr("`nonsense` is no id"));
  EXPECT_EQ(gateway.calls(), 2);
}

TEST(PcapctlBuckets, AreListedAddedValidatedAndRemoved) {
  ScriptedGateway gateway;
  ScriptedGateway::Step step;
  pcap::v1::Ownership& ownership = *step.ownerships.add_ownerships();
  ownership.set_id(kPcapId);
  ownership.set_destination_conf("s3://bucket");
  ownership.set_filename("proof.txt");
  ownership.set_status(pcap::v1::OWNERSHIP_STATUS_PENDING);
  *step.ownership.mutable_ownership() = ownership;
  *step.validated.mutable_ownership() = ownership;
  gateway.Answer(step);
  EXPECT_EQ(PcapctlAt(gateway, {"buckets", "list"}).out,
            absl::StrCat("ID                                STATUS   AGE  BUCKET       FILE\n",
                         kPcapId, "  pending  -    s3://bucket  proof.txt\n"));
  EXPECT_EQ(PcapctlAt(gateway, {"buckets", "list", "-o", "name"}).out, absl::StrCat(kPcapId, "\n"));
  EXPECT_THAT(PcapctlAt(gateway, {"buckets", "list", "-o", "json"}).out,
              StartsWith("[\n  {\n    \"ownership\": {"));

  const ProgramRun added =
      PcapctlAt(gateway, {"buckets", "add", "--destination-conf", "s3://bucket"});
  EXPECT_EQ(added.exit_code, 0);
  EXPECT_THAT(added.out, HasSubstr("File    proof.txt\n"));
  EXPECT_THAT(added.err, HasSubstr("pcapctl buckets validate"));
  const TemporaryFile proof("s3cr3t\n");
  const std::vector<std::string> validate = {
      "buckets",   "validate", "--destination-conf", kBucket, "--ownership-challenge-file",
      proof.path()};
  EXPECT_EQ(PcapctlAt(gateway, validate).exit_code, 0);
  const auto sent = gateway.RequestAs<pcap::v1::ValidateOwnershipRequest>();
  EXPECT_EQ(sent.ownership_challenge(), "s3cr3t");
  EXPECT_EQ(sent.destination_conf(), kBucket);
  const int calls = gateway.calls();
  std::vector<std::string> dry = validate;
  dry.emplace_back("--dry-run");
  const std::string shown = PcapctlAt(gateway, dry).out;
  EXPECT_THAT(shown, HasSubstr("access-key-id=REDACTED"));
  EXPECT_THAT(shown, Not(HasSubstr("s3cr3t")));
  EXPECT_EQ(PcapctlAt(gateway, {"buckets", "remove", "--dry-run", kPcapId}).exit_code, 0);
  EXPECT_EQ(gateway.calls(), calls);
  EXPECT_EQ(PcapctlAt(gateway, {"buckets", "remove", "--yes", kPcapId}).out,
            absl::StrCat(kPcapId, "\n"));
}

std::vector<pcap::v1::DownloadPcapResponse> Pieces(const std::vector<std::string>& data,
                                                   int64_t total) {
  std::vector<pcap::v1::DownloadPcapResponse> pieces;
  for (const std::string& each : data) pieces.emplace_back().set_data(each);
  pieces.front().set_total_bytes(total);
  return pieces;
}

// A folder of its own that is gone afterwards.
class Folder {
 public:
  Folder() : path_(absl::StrCat(testing::TempDir(), "packets.", getpid())) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string File(const std::string& name) const { return path_ + "/" + name; }
  size_t count() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::string path_;
};

TEST(PcapctlDownload, WritesTheFileWholeAndSaysItsName) {
  const Folder folder;
  ScriptedGateway gateway;
  gateway.Answer({.download = Pieces({"abc", "def"}, 6)});
  const std::string file = folder.File("a.pcap");
  const ProgramRun run = PcapctlAt(gateway, {"download", kPcapId, "-w", file});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, file + "\n");
  EXPECT_EQ(ContentOf(file), "abcdef");
  struct stat now;
  ASSERT_EQ(stat(file.c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 07777, 0600u);  // packets are nobody else's
  EXPECT_EQ(gateway.RequestAs<pcap::v1::DownloadPcapRequest>().pcap_id(), kPcapId);
  EXPECT_EQ(PcapctlAt(gateway, {"download", kPcapId, "-w", "-"}).out, "abcdef");
  EXPECT_EQ(folder.count(), 1u);
}

TEST(PcapctlDownload, OverwritesAFileOnlyWhenToldTo) {
  const Folder folder;
  ScriptedGateway gateway;
  gateway.Answer({.download = Pieces({"new"}, 3)});
  const std::string file = folder.File("a.pcap");
  std::ofstream(file) << "old";
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  const ProgramRun refused = PcapctlAt(gateway, {"download", kPcapId, "-w", file});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("is there already; --force overwrites it"));
  EXPECT_EQ(ContentOf(file), "old");
  EXPECT_EQ(gateway.calls(), 0);
  EXPECT_EQ(PcapctlAt(gateway, {"download", kPcapId, "-w", file, "--force"}).exit_code, 0);
  EXPECT_EQ(ContentOf(file), "new");
  struct stat now;
  ASSERT_EQ(stat(file.c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 07777, 0640u);
}

TEST(PcapctlDownload, LeavesNothingBehindWhereItFails) {
  const Folder folder;
  const std::string file = folder.File("a.pcap");
  const struct {
    ScriptedGateway::Step step;
    int exit_code;
  } all[] = {
      {{.code = absl::StatusCode::kDataLoss, .download = Pieces({"abc"}, 6)}, 15},
      {{.code = absl::StatusCode::kNotFound}, 5},
      {{.download = Pieces({"abc"}, 6)}, 15},  // less than was announced
      {{.download = Pieces({"abc"}, 6), .never = true}, 4},
  };
  for (const auto& [step, exit_code] : all) {
    ScriptedGateway gateway;
    gateway.Answer(step);
    const ProgramRun run = PcapctlAt(gateway, {"download", kPcapId, "-w", file, "--timeout", "2s"});
    EXPECT_EQ(run.exit_code, exit_code) << run.err;
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_EQ(folder.count(), 0u);
  }
}

TEST(PcapctlDownload, ToWhatIsNoFileWritesAsItIs) {
  ScriptedGateway gateway;
  gateway.Answer({.download = Pieces({"abc"}, 3)});
  EXPECT_EQ(PcapctlAt(gateway, {"download", kPcapId, "-w", "/dev/null"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  const ProgramRun full = PcapctlAt(gateway, {"download", kPcapId, "-w", "/dev/full"});
  EXPECT_EQ(full.exit_code, 15);
  EXPECT_EQ(full.err, "pcapctl: DATA_LOSS: cannot write /dev/full: No space left on device\n");
}

// --- watch, capture

pcap::v1::WatchPcapsResponse Change(pcap::v1::PcapStatus status) {
  pcap::v1::WatchPcapsResponse change;
  auto& full = *change.mutable_pcap()->mutable_full();
  full.set_id(kPcapId);
  full.set_status(status);
  if (status == pcap::v1::PCAP_STATUS_RUNNING) full.set_packets_captured(12);
  if (status == pcap::v1::PCAP_STATUS_FAILED) full.set_error_message("no\x1b bucket");
  return change;
}

TEST(PcapctlWatch, PrintsALineForEachChange) {
  ScriptedGateway gateway;
  gateway.Answer(
      {.code = absl::StatusCode::kUnavailable, .changes = {Change(pcap::v1::PCAP_STATUS_PENDING)}});
  gateway.Answer(
      {.changes = {Change(pcap::v1::PCAP_STATUS_RUNNING), Change(pcap::v1::PCAP_STATUS_COMPLETE)}});
  const ProgramRun run = PcapctlAt(gateway, {"watch", "--account", kAccountId, kPcapId});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const std::string time = "[0-9]{2}:[0-9]{2}:[0-9]{2}  ";
  EXPECT_THAT(run.out,
              MatchesRegex(absl::StrCat(time, kPcapId, "  full    pending\n", time, kPcapId,
                                        "  full    running             12 packets\n", time, kPcapId,
                                        "  full    complete\n")));
  const auto request = gateway.RequestAs<pcap::v1::WatchPcapsRequest>();
  EXPECT_EQ(request.account_id(), kAccountId);
  EXPECT_EQ(request.pcap_ids(0), kPcapId);
}

TEST(PcapctlWatch, HasTheFormatsOfGet) {
  ScriptedGateway gateway;
  gateway.Answer({.changes = {Change(pcap::v1::PCAP_STATUS_COMPLETE)}});
  const std::string json =
      R"({"pcap":{"full":{"id":"3d2b8c5f1a7e4960b1c2d3e4f5a60718","status":"PCAP_STATUS_COMPLETE"}}})";
  EXPECT_EQ(PcapctlAt(gateway, {"watch", "-o", "jsonl"}).out, json + "\n");
  EXPECT_EQ(PcapctlAt(gateway, {"watch", "--json"}).out, json + "\n");
  EXPECT_EQ(PcapctlAt(gateway, {"watch", "-o", "name"}).out, absl::StrCat(kPcapId, "\n"));
  EXPECT_THAT(PcapctlAt(gateway, {"watch", "-o", "yaml"}).out, StartsWith("---\npcap:\n"));
}

TEST(PcapctlWatch, ExitsHonestly) {
  ScriptedGateway gateway;
  gateway.Answer({.changes = {Change(pcap::v1::PCAP_STATUS_FAILED)}});
  const ProgramRun failed = PcapctlAt(gateway, {"watch", kPcapId});
  EXPECT_EQ(failed.exit_code, 9);
  EXPECT_THAT(failed.out, HasSubstr("no\\x1b bucket"));
  EXPECT_EQ(PcapctlAt(gateway, {"watch"}).exit_code, 0);  // nobody asked for that one
  EXPECT_EQ(PcapctlAt(gateway, {"watch", "nonsense"}).exit_code, 3);
  ScriptedGateway unknown;
  unknown.Answer({.code = absl::StatusCode::kNotFound});
  EXPECT_EQ(PcapctlAt(unknown, {"watch", kPcapId}).exit_code, 5);
  ScriptedGateway endless;
  endless.Answer({.changes = {Change(pcap::v1::PCAP_STATUS_RUNNING)}, .never = true});
  const ProgramRun late = PcapctlAt(endless, {"watch", "--timeout", "2s"});
  EXPECT_EQ(late.exit_code, 4);
  EXPECT_THAT(late.out, HasSubstr("running"));
  EXPECT_EQ(Pcapctl({"watch", "--address", AddressOfNobody()}).exit_code, 14);
}

pcap::v1::CreatePcapResponse CreatedSimple() {
  pcap::v1::CreatePcapResponse created;
  created.mutable_pcap()->mutable_simple()->set_id(kPcapId);
  created.mutable_pcap()->mutable_simple()->set_status(pcap::v1::PCAP_STATUS_PENDING);
  return created;
}

pcap::v1::WatchPcapsResponse SimpleIs(pcap::v1::PcapStatus status) {
  pcap::v1::WatchPcapsResponse change;
  *change.mutable_pcap() = CreatedSimple().pcap();
  change.mutable_pcap()->mutable_simple()->set_status(status);
  return change;
}

TEST(PcapctlCapture, ASimpleOneIsMadeAwaitedAndDownloaded) {
  ScriptedGateway gateway;
  gateway.Answer({.created = CreatedSimple()});
  gateway.Answer({.changes = {SimpleIs(pcap::v1::PCAP_STATUS_SUCCESS)}});
  gateway.Answer({.download = Pieces({"abc", "def"}, 6)});
  const ProgramRun run = PcapctlAt(gateway, {"capture", "simple", "-w", "-"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "abcdef");
  EXPECT_EQ(run.err, absl::StrCat(kPcapId, "  pending\n", kPcapId, "  success\n"));
}

TEST(PcapctlCapture, AFullOneIsPrintedAtItsEnd) {
  ScriptedGateway gateway;
  ScriptedGateway::Step created;
  *created.created.mutable_pcap() = Change(pcap::v1::PCAP_STATUS_PENDING).pcap();
  gateway.Answer(created);
  gateway.Answer({.changes = {Change(pcap::v1::PCAP_STATUS_COMPLETE)}});
  const std::vector<std::string> full = {"capture",     "full",  "--time-limit",       "1m",
                                         "--colo-name", "ord02", "--destination-conf", "s3://b"};
  const ProgramRun run = PcapctlAt(gateway, full);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("complete"));
  EXPECT_EQ(gateway.calls(), 2);
}

TEST(PcapctlCapture, SaysWhatBecameOfACaptureThatItCouldNotFetch) {
  const Folder folder;
  const struct {
    ScriptedGateway::Step watch;
    ScriptedGateway::Step download;
    int exit_code;
    const char* said;
  } all[] = {
      {{.changes = {SimpleIs(pcap::v1::PCAP_STATUS_FAILED)}}, {}, 9, "failed"},
      {{.code = absl::StatusCode::kPermissionDenied}, {}, 7, "goes on: pcapctl wait 3d2b"},
      {{.changes = {SimpleIs(pcap::v1::PCAP_STATUS_SUCCESS)}},
       {.code = absl::StatusCode::kDataLoss, .download = Pieces({"abc"}, 6)},
       15,
       "the packets are there: pcapctl download 3d2b"},
      {{.changes = {SimpleIs(pcap::v1::PCAP_STATUS_PENDING)}, .never = true},
       {},
       4,
       "goes on: pcapctl wait 3d2b"},
  };
  for (const auto& [watch, download, exit_code, said] : all) {
    ScriptedGateway gateway;
    gateway.Answer({.created = CreatedSimple()});
    gateway.Answer(watch);
    gateway.Answer(download);
    const ProgramRun run =
        PcapctlAt(gateway, {"capture", "simple", "-w", folder.File("a.pcap"), "--timeout", "3s"});
    EXPECT_EQ(run.exit_code, exit_code) << run.err;
    EXPECT_THAT(run.err, HasSubstr(said));
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_EQ(folder.count(), 0u);
  }
}

TEST(PcapctlCapture, DoesNotSpendACaptureOnAFileThatItMayNotWrite) {
  const Folder folder;
  const std::string file = folder.File("a.pcap");
  std::ofstream(file) << "old";
  ScriptedGateway gateway;
  const ProgramRun run = PcapctlAt(gateway, {"capture", "simple", "-w", file});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("--force overwrites it"));
  EXPECT_EQ(gateway.calls(), 0);
  EXPECT_EQ(PcapctlAt(gateway, {"capture", "simple", "--dry-run"}).exit_code, 0);
  EXPECT_EQ(gateway.calls(), 0);
}

TEST(Pcapctl, HelpAndVersionNeedNoGateway) {
  const ProgramRun version = Pcapctl({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out, "pcapctl " PCAPCTL_VERSION "\n");
  EXPECT_EQ(Pcapctl({"version"}).out, version.out);
  EXPECT_EQ(Pcapctl({"help", "get"}).out, Pcapctl({"get", "--help"}).out);
  EXPECT_EQ(Pcapctl({"help", "create", "full"}).out, Pcapctl({"create", "full", "--help"}).out);
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"get", "--help"},
                                                    {"status", "--help"},
                                                    {"help"},
                                                    {"help", "get"},
                                                    {"create", "--help"},
                                                    {"help", "create"},
                                                    {"create", "full", "--help"}}) {
    const ProgramRun help = Pcapctl(arguments);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr("Usage: "));
    EXPECT_THAT(help.err, IsEmpty());
  }
}

TEST(Pcapctl, HelpLooksTheSameWithEveryCli11) {
  const std::string footer =
      "\nExit code: 0, or the gRPC code's number (5 not found, 14 unavailable, …).\n";
  EXPECT_EQ(Pcapctl({"create", "--help"}).out,
            "Ask for a packet capture, and no more\n"
            "Usage: pcapctl create [OPTIONS] [SUBCOMMAND]\n"
            "\n"
            "Options:\n"
            "  -h,--help                   Print this help message and exit\n"
            "\n"
            "Subcommands:\n"
            "  simple                      A sample of packets, which can be downloaded\n"
            "  full                        All packets of a data center, into a bucket of yours\n" +
                footer);
  EXPECT_THAT(
      Pcapctl({"get", "--help"}).out,
      StartsWith("Print packet captures\n"
                 "Usage: pcapctl get [OPTIONS] PCAP_ID...\n"
                 "\n"
                 "Positionals:\n"
                 "  PCAP_ID ... REQUIRED        Captures: 32 hex digits each; - for stdin\n"
                 "\n"
                 "Options:\n"
                 "  -h,--help                   Print this help message and exit\n"
                 "  -o,--output FORMAT Excludes: --json\n"
                 "                              table, wide, json, jsonl, yaml, name (default "
                 "table)\n"
                 "  --json Excludes: --output   The same as --output json\n"));
  EXPECT_THAT(Pcapctl({"help"}).out,
              HasSubstr("\n  --address HOST:PORT (Env:PCAP_GATEWAY_ADDRESS)\n"));
  EXPECT_THAT(Pcapctl({"contexts", "--help"}).out,
              HasSubstr("\nUsage: pcapctl contexts [OPTIONS] [ACTION] [NAME]\n"));
}

struct WrongCommandLine {
  std::vector<std::string> arguments;
  const char* names;  // what the error names
};

TEST(Pcapctl, AWrongCommandLineIsOneClearLineAndExitCode2) {
  const WrongCommandLine all[] = {
      {{}, "a command is needed"},
      {{"gett"}, "there is no command `gett`; did you mean get?"},
      {{"gte", kPcapId}, "did you mean get?"},
      {{"stat"}, "did you mean status?"},
      {{"xyzzy"}, "there are get, list, wait, "},
      {{"create"}, "`create` needs one of simple, full"},
      {{"create", "-o", "json"}, "`create` needs one of simple, full"},
      {{"create", "simpel"}, "there is no command `create simpel`; did you mean create simple?"},
      {{"create", "xyzzy"}, "there is no command `create xyzzy`; there are simple, full"},
      {{"help", "create", "ful"}, "did you mean create full?"},
      {{"create", "simple", "--colo-name", "x"}, "`create simple` has no option --colo-name"},
      {{"create", "simple", kPcapId}, "more arguments than the command has: 3d2b"},
      {{"create", "simple", "--time-limit", "10"}, "--time-limit: is a duration with its unit"},
      {{"create", "simple", "--time-limit", "-1s"}, "--time-limit: is a duration with its unit"},
      {{"create", "simple", "--packet-limit", "1e3"}, "--packet-limit: is a whole number"},
      {{"create", "simple", "--source-port", "65536"}, "from 0 to 65535; not 65536"},
      {{"create", "simple", "--destination-port", "-1"}, "--destination-port: is a whole number"},
      {{"create", "simple", "--protocol", "256"}, "--protocol: is a number from 0 to 255"},
      {{"create", "simple", "--protocol", "tpc"}, "or one of icmp, igmp, ipv4, tcp, "},
      {{"create", "simple", "--offset-time", "yesterday"}, "--offset-time: is a time such as "},
      {{"create", "full"}, "--time-limit: needed for a full capture"},
      {{"create", "full", "--time-limit", "1m"}, "--colo-name: needed"},
      {{"create", "full", "--time-limit", "1m", "--colo-name", "x"}, "--destination-conf: needed"},
      {{"create", "full", "--destination-conf", "x", "--destination-conf-file", "/x"},
       "give one of them"},
      {{"create", "full", "--destination-conf-file", "/nowhere"},
       "--destination-conf-file: cannot read /nowhere"},
      {{"create", "full", "--destination-conf-file", "/dev/null"}, "/dev/null is empty"},
      {{"capture"}, "`capture` needs one of simple, full"},
      {{"capture", "simple", "-w", "/tmp"}, "--write: /tmp is a folder"},
      {{"capture", "full", "-w", "x"}, "`capture full` has no option -w; "},
      {{"capture", "full"}, "--time-limit: needed"},
      {{"watch", "-"}, "PCAP_ID: stdin has none"},
      {{"watch", kPcapId, "--timeout", "0"}, "--timeout"},
      {{"buckets"}, "`buckets` needs one of list, add, validate, remove"},
      {{"buckets", "add"}, "--destination-conf: needed"},
      {{"buckets", "validate", "--destination-conf", "s3://b"}, "--ownership-challenge: needed"},
      {{"buckets", "validate", "--ownership-challenge", "x"}, "--destination-conf: needed"},
      {{"buckets", "validate", "--ownership-challenge-file", "/dev/zero"}, "more than 1 MiB"},
      {{"buckets", "remove"}, "OWNERSHIP_ID"},
      {{"buckets", "remove", kPcapId}, "--yes: needed, as stdin is no terminal"},
      {{"buckets", "delete"}, "there are list, add, validate, remove"},
      {{"stop"}, "PCAP_ID"},
      {{"download"}, "PCAP_ID"},
      {{"download", kPcapId, kPcapId}, "PCAP_ID: is given more than once"},
      {{"download", kPcapId, "-w"}, "--write: needs a value"},
      {{"download", kPcapId, "-w", "/tmp"}, "--write: /tmp is a folder"},
      {{"download", kPcapId, "-w", "/nowhere/x"}, "/nowhere/x cannot be written: No such file"},
      {{"help", "statsu"}, "did you mean status?"},
      {{kPcapId}, "did you mean `pcapctl get 3d2b8c5f1a7e4960b1c2d3e4f5a60718`?"},
      {{"get", "--jsno", kPcapId}, "there is no option --jsno; did you mean --json?"},
      {{"get", "--interval", "1s", kPcapId}, "`get` has no option --interval; wait has"},
      {{"status", "b", "a"}, "more arguments than the command has: b a"},
      {{"--timeout", "list", "gte"}, "did you mean get?"},
      {{"--adress", "x", "get", kPcapId}, "there is no option --adress; did you mean --address?"},
      {{"get", kPcapId, "--timeout", "5"}, "with its unit, such as 500ms or 30s; not 5"},
      {{"get", kPcapId, "--timeout", "1s", "--timeout", "2s"},
       "--timeout: is given more than once"},
      {{"cache", "--address"}, "--address: needs a value"},
      {{"get", "--json", "-o", "yaml", kPcapId}, "--output excludes --json"},
      {{"--address", ":50051", "status"}, "--address: is HOST:PORT"},
      {{"--address", "127.0.0.1:99999", "status"}, "from 1 to 65535"},
      {{"--address", "::1:50051", "status"}, "an IPv6 host in brackets"},
      {{"status", "--admin-address", "9464"}, "--admin-address: is HOST:PORT"},
      {{"cache", "--admin-address", "http://127.0.0.1:9464"}, "without http:// or https://; not"},
      {{"cache", "--admin-address", "127.0.0.1"}, "--admin-address: is HOST:PORT"},
      {{"get"}, "PCAP_ID"},
      {{"get", kPcapId, "--output", "xml"}, "--output"},
      {{"get", kPcapId, "--color", "red"}, "--color"},
      {{"get", kPcapId, "--context", "nowhere"}, "nowhere"},
      {{"get", kPcapId, "--config", "/nowhere"}, "/nowhere"},
      {{"get", kPcapId, "--tls-ca-file", "/nowhere"}, "--tls-ca-file"},
      {{"get", kPcapId, "--no-tls", "--tls-server-name", "n"}, "--no-tls"},
      {{"get", "-"}, "PCAP_ID"},
      {{"wait"}, "PCAP_ID"},
      {{"wait", kPcapId, "--interval", "0"}, "--interval"},
      {{"completion", "tcsh"}, "SHELL: is bash, zsh, fish; not tcsh"},
      {{"get", "-o", "xml", kPcapId}, "--output: is table, wide, json, jsonl, yaml, name; not xml"},
      {{"get", "-o", "1", kPcapId}, "--output: is table, wide, json, jsonl, yaml, name; not 1"},
      {{"get", "--address", "http://127.0.0.1:1", kPcapId}, "without http:// or https://"},
      {{"get", kPcapId, "--no-such"}, "--no-such"},
      {{"get", kPcapId, "--max-age", "30"}, "--max-age"},
      {{"get", kPcapId, "--max-age", "-1s"}, "--max-age"},
      {{"get", kPcapId, "--max-age", "inf"}, "--max-age"},
      {{"get", kPcapId, "--max-age"}, "--max-age"},
      {{"get", kPcapId, "--timeout", "0"}, "--timeout"},
      {{"status", "--timeout", "soon"}, "--timeout"},
      {{"status", "--output", "xml"}, "--output"},
      {{"--address", "gateway.invalid:1", "cache"}, "--admin-address"},
      {{"--address", "no-port", "status"}, "--address"},
      {{"--address", "\x1b[2J:1", "status"}, "--address"},
      {{"\x1b[3J"}, "\\x1b[3J"},
  };
  for (const WrongCommandLine& wrong : all) {
    const ProgramRun run = Pcapctl(wrong.arguments);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, StartsWith("pcapctl: "));
    EXPECT_THAT(run.err, HasSubstr(wrong.names));
    EXPECT_THAT(run.err, Not(HasSubstr("\x1b")));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
}

}  // namespace
}  // namespace pcap_client
