// pcapctl: asks a pcap-gateway from the command line.
//
//   pcapctl get 3d2b8c5f1a7e4960b1c2d3e4f5a60718
//   pcapctl get --json --max-age 0 3d2b8c5f1a7e4960b1c2d3e4f5a60718 | jq -r .pcap.full.status
//   pcapctl status
//   pcapctl cache
//
// The answer goes to stdout and everything else to stderr. Exit code: 0, or the number of the
// call's gRPC code (NOT_FOUND 5, UNAVAILABLE 14, …); a wrong command line is 2.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/pcap_client.h"
#include "client/pcapctl/http_get.h"
#include "client/pcapctl/metric_samples.h"
#include "client/pcapctl/print_cache.h"
#include "client/pcapctl/print_error.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/print_table.h"
#include "client/pcapctl/table.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

constexpr int kUsageError = 2;
constexpr char kServiceName[] = "pcap.v1.PcapService";

// google.protobuf.Duration's range: about 10,000 years.
constexpr absl::Duration kLongestMaxAge = absl::Seconds(315'576'000'000);
// A deadline far away is as good as none, and farther ones do not fit into nanoseconds.
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);

// What the command line says.
struct Arguments {
  std::string address = ClientOptions().target;
  std::string admin_address = "127.0.0.1:9464";
  std::string timeout;  // of all commands; "" here and below: not given
  std::string account_id;
  std::string pcap_id;
  std::string max_age;
  std::string api_token_file;
  bool json = false;
};

int ExitCode(absl::StatusCode code) { return static_cast<int>(code); }

int Fail(const CallError& error) {
  std::cerr << ErrorLines(error);
  return ExitCode(error.code);
}

int Fail(const absl::Status& status) {
  return Fail({.code = status.code(), .message = std::string(status.message())});
}

int FailUsage(absl::string_view message) {
  std::cerr << "pcapctl: " << TerminalText(absl::StripAsciiWhitespace(message))
            << " (see pcapctl --help)\n";
  return kUsageError;
}

// The last thing of every command that worked. An answer that could not be written, to a disk that
// is full, is none.
int Print(const std::string& text, int exit_code = 0) {
  std::cout << text << std::flush;
  if (std::cout.good()) return exit_code;
  return Fail({.code = absl::StatusCode::kDataLoss, .message = "cannot write to stdout"});
}

// `text` as a duration from `least` to `most`. "1m30s", "250ms", "0" as absl::ParseDuration has it.
std::optional<absl::Duration> DurationFrom(const std::string& text, absl::Duration least,
                                           absl::Duration most) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) return std::nullopt;
  if (duration < least || duration > most) return std::nullopt;
  return duration;
}

// A check for CLI11: empty, or what is wrong.
std::string CheckMaxAge(const std::string& text) {
  if (DurationFrom(text, absl::ZeroDuration(), kLongestMaxAge)) return "";
  return "not a duration of 0 or more, such as 30s or 1m30s";
}

std::string CheckTimeout(const std::string& text) {
  if (DurationFrom(text, absl::Milliseconds(1), kLongestTimeout)) return "";
  return "not a duration of more than 0, such as 500ms or 30s";
}

google::protobuf::Duration ProtoDuration(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

pcap::v1::GetPcapRequest RequestOf(const Arguments& arguments) {
  pcap::v1::GetPcapRequest request;
  request.set_account_id(arguments.account_id);
  request.set_pcap_id(arguments.pcap_id);
  if (const auto max_age = DurationFrom(arguments.max_age, absl::ZeroDuration(), kLongestMaxAge)) {
    *request.mutable_max_age() = ProtoDuration(*max_age);
  }
  return request;
}

CallOptions CallOptionsOf(const Arguments& arguments) {
  CallOptions options;
  options.timeout = DurationFrom(arguments.timeout, absl::Milliseconds(1), kLongestTimeout);
  return options;
}

// The token that a file holds, the line's end left off. Absent: the file cannot be read, or is
// empty.
std::optional<std::string> TokenFrom(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const absl::string_view token = absl::StripAsciiWhitespace(text);
  if (!file || token.empty()) return std::nullopt;
  return std::string(token);
}

int Get(const PcapClient& client, const Arguments& arguments) {
  CallOptions options = CallOptionsOf(arguments);
  if (!arguments.api_token_file.empty()) {
    const auto token = TokenFrom(arguments.api_token_file);
    if (!token) return FailUsage("--api-token-file: cannot read a token from that file");
    options.metadata.emplace_back("authorization", absl::StrCat("Bearer ", *token));
  }
  const auto result = client.GetPcap(RequestOf(arguments), options);
  if (!result.ok()) return Fail(result.error());
  if (!arguments.json) return Print(PcapTable(*result));
  const auto json = PcapJson(result->response);
  return json.ok() ? Print(*json) : Fail(json.status());
}

absl::string_view Words(Health health) {
  switch (health) {
    case Health::kServing:
      return "serving";
    case Health::kNotServing:
      return "not serving";
    case Health::kUnknown:
      break;
  }
  return "not known";
}

int Status(const PcapClient& client, const Arguments& arguments) {
  Table table;
  table.Row("Address", arguments.address);
  bool serving = true;
  for (const auto& [label, service] : {std::pair("Gateway", ""), {kServiceName, kServiceName}}) {
    const auto health = client.CheckHealth(service, CallOptionsOf(arguments));
    if (health.ok()) {
      serving &= *health == Health::kServing;
      table.Row(label, Words(*health));
    } else if (health.error().code == absl::StatusCode::kNotFound) {
      serving = false;
      table.Row(label, "not there");
    } else {
      serving = false;
      table.Row(label, "no answer");
      Fail(health.error());
      break;
    }
  }
  return Print(table.Text(), serving ? 0 : ExitCode(absl::StatusCode::kUnavailable));
}

int Cache(const Arguments& arguments) {
  const absl::Duration timeout = CallOptionsOf(arguments).timeout.value_or(ClientOptions().timeout);
  const auto page = HttpGet(arguments.admin_address, "/metrics", timeout);
  if (!page.ok()) return Fail(page.status());
  const MetricSamples samples(*page);
  return Print(arguments.json ? CacheJson(samples) : CacheTable(samples));
}

void AddTimeout(CLI::App& command, Arguments& arguments) {
  command.add_option("--timeout", arguments.timeout, "The longest to wait (default 10s)")
      ->type_name("DURATION")
      ->check(CheckTimeout);
}

void Declare(CLI::App& app, Arguments& arguments) {
  app.set_version_flag("--version", "pcapctl " PCAPCTL_VERSION);
  app.add_option("--address", arguments.address, "Where the gateway listens")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->envname("PCAP_GATEWAY_ADDRESS");
  app.footer("Exit code: 0, or the gRPC code's number (5 not found, 14 unavailable, …).");

  CLI::App& get = *app.add_subcommand("get", "Print one packet capture")->fallthrough();
  get.add_option("PCAP_ID", arguments.pcap_id, "The capture: 32 lower-case hex digits")
      ->required()
      ->type_name("");
  get.add_option("--account", arguments.account_id, "The account (default: the gateway's own)")
      ->type_name("ID");
  get.add_flag("--json", arguments.json, "Print proto JSON with the .proto's field names");
  get.add_option("--max-age", arguments.max_age,
                 "The oldest answer that will do; 0 asks Cloudflare")
      ->type_name("DURATION")
      ->check(CheckMaxAge);
  get.add_option("--api-token-file", arguments.api_token_file,
                 "Your Cloudflare token, for a gateway with --credential=caller")
      ->type_name("FILE");
  AddTimeout(get, arguments);

  CLI::App& status =
      *app.add_subcommand("status", "Say whether the gateway is serving")->fallthrough();
  AddTimeout(status, arguments);

  CLI::App& cache =
      *app.add_subcommand("cache", "Show what the gateway's cache has done so far")->fallthrough();
  cache.add_option("--admin-address", arguments.admin_address, "Where the gateway has its metrics")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->envname("PCAP_GATEWAY_ADMIN_ADDRESS");
  cache.add_flag("--json", arguments.json, "Print the metrics as one JSON object");
  AddTimeout(cache, arguments);
}

int Run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Reads Cloudflare packet captures through a pcap-gateway.", "pcapctl");
  Declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    return asked ? app.exit(error) : FailUsage(error.what());
  }
  // Not left to require_subcommand(): that would call a misspelt command a missing one.
  if (app.get_subcommands().empty()) return FailUsage("a command is needed: get, status or cache");
  if (app.got_subcommand("cache")) return Cache(arguments);
  const auto client =
      PcapClient::Create({.target = arguments.address, .user_agent = "pcapctl/" PCAPCTL_VERSION});
  if (!client.ok()) return FailUsage(absl::StrCat("--address: ", client.status().message()));
  return app.got_subcommand("get") ? Get(*client, arguments) : Status(*client, arguments);
}

}  // namespace
}  // namespace pcap_client

int main(int argc, char** argv) {
  // What goes wrong is told by the call's status; gRPC's own log lines would stand in between.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return pcap_client::Run(argc, argv);
}
