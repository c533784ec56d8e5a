#include "client/pcapctl/options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {
namespace {

const std::vector<std::pair<std::string, OutputFormat>> kFormats = {
    {"table", OutputFormat::kTable}, {"wide", OutputFormat::kWide}, {"json", OutputFormat::kJson},
    {"jsonl", OutputFormat::kJsonl}, {"yaml", OutputFormat::kYaml}, {"name", OutputFormat::kName}};
const std::vector<std::pair<std::string, ColourChoice>> kColours = {
    {"auto", ColourChoice::kAuto},
    {"always", ColourChoice::kAlways},
    {"never", ColourChoice::kNever}};
const std::vector<std::pair<std::string, Shell>> kShells = {
    {"bash", Shell::kBash}, {"zsh", Shell::kZsh}, {"fish", Shell::kFish}};

// Checks for CLI11: empty, or what is wrong.

std::string CheckMaxAge(const std::string& text) {
  if (DurationFrom(text, absl::ZeroDuration(), kLongestMaxAge)) return "";
  return absl::StrCat("is a duration of 0 or more with its unit, such as 30s or 1m30s; not ", text);
}

std::string CheckTimeout(const std::string& text) {
  if (TimeoutFrom(text)) return "";
  return absl::StrCat("is a duration of more than 0 with its unit, such as 500ms or 30s; not ",
                      text);
}

template <typename T>
std::vector<std::string> WordsOf(const std::vector<std::pair<std::string, T>>& choices) {
  std::vector<std::string> words;
  words.reserve(choices.size());
  for (const auto& [word, value] : choices) words.push_back(word);
  return words;
}

template <typename T>
CLI::Validator OneOf(const std::vector<std::pair<std::string, T>>& words) {
  // Not CLI11's CheckedTransformer: it takes numbers, too, and speaks of them.
  return {[words](std::string& text) -> std::string {
            for (const auto& [word, value] : words) {
              if (text != word) continue;
              text = std::to_string(static_cast<int>(value));
              return "";
            }
            return absl::StrCat("is ", absl::StrJoin(WordsOf(words), ", "), "; not ", text);
          },
          ""};
}

void AddLimitsAndFilter(CLI::App& command, CaptureTexts& texts) {
  AddText(command, "--packet-limit", texts.packet_limit, "COUNT", "Stop after so many packets");
  AddText(command, "--source-address", texts.source_address, "ADDRESS", "Packets from there alone");
  AddText(command, "--source-port", texts.source_port, "PORT", "Packets from that port alone");
  AddText(command, "--destination-address", texts.destination_address, "ADDRESS",
          "Packets to there alone");
  AddText(command, "--destination-port", texts.destination_port, "PORT",
          "Packets to that port alone");
  AddText(command, "--protocol", texts.protocol, "PROTOCOL",
          "Packets of that protocol alone: tcp, udp, icmp … or its number");
  AddText(command, "--request-id", texts.request_id, "ID",
          "Of a try that is repeated, so that there is no second capture (default: a new one)");
}

}  // namespace

void AddText(CLI::App& command, const char* option, std::string& place, const char* type,
             const char* help) {
  command.add_option(option, place, help)->type_name(type);
}

void AddTimeout(CLI::App& command, Arguments& arguments, const char* help) {
  command.add_option("--timeout", arguments.settings.timeout, help)
      ->type_name("DURATION")
      ->check(CheckTimeout);
}

void AddInterval(CLI::App& command, Arguments& arguments) {
  command
      .add_option("--interval", arguments.interval,
                  "Between two questions (default: as long as the gateway keeps an answer)")
      ->type_name("DURATION")
      ->check(CheckTimeout);
}

void AddMaxAge(CLI::App& command, Arguments& arguments) {
  command
      .add_option("--max-age", arguments.max_age, "How old the answer may be; 0 asks Cloudflare")
      ->type_name("DURATION")
      ->check(CheckMaxAge);
}

CLI::Option* AddAdminAddress(CLI::App& command, Arguments& arguments) {
  return command
      .add_option("--admin-address", arguments.settings.admin_address,
                  "The gateway's admin port (default, on this machine: 127.0.0.1:9464)")
      ->type_name("HOST:PORT")
      ->envname("PCAP_GATEWAY_ADMIN_ADDRESS");
}

void AddOutput(CLI::App& command, Arguments& arguments) {
  CLI::Option* const output =
      command
          .add_option("--output,-o", arguments.output,
                      absl::StrJoin(WordsOf(kFormats), ", ") + " (default table)")
          ->type_name("FORMAT")
          ->transform(OneOf(kFormats));
  command.add_flag("--json", arguments.json, "The same as --output json")->excludes(output);
}

void AddDryRun(CLI::App& command, Arguments& arguments) {
  command.add_flag("--dry-run", arguments.dry_run,
                   "Print what would be sent, as JSON, and send nothing");
}

void AddAccountOptions(CLI::App& command, Arguments& arguments) {
  AddText(command, "--account", arguments.settings.account, "ID",
          "The account (default: the gateway's own)");
  AddText(command, "--api-token-file", arguments.settings.api_token_file, "FILE",
          "Your Cloudflare token, for a gateway with --credential=caller");
}

void AddIds(CLI::App& command, Arguments& arguments) {
  command.add_option("PCAP_ID", arguments.pcap_ids, "Captures: 32 hex digits each; - for stdin")
      ->required()
      ->type_name("");
}

void AddFileOptions(CLI::App& command, Arguments& arguments) {
  AddText(command, "--write,-w", arguments.file, "FILE",
          "Where the packets go; - for stdout (default: PCAP_ID.pcap in this folder)");
  command.add_flag("--force", arguments.force, "Overwrite a file that is there");
}

void AddSimpleOptions(CLI::App& command, Arguments& arguments) {
  CaptureTexts& texts = arguments.capture;
  AddText(command, "--time-limit", texts.time_limit, "DURATION",
          "How long to look for packets, 1s to 5m (default 1m)");
  AddText(command, "--offset-time", texts.offset_time, "TIME",
          "From when on: a time of the last 24 hours, RFC 3339 (default: now)");
  AddLimitsAndFilter(command, texts);
}

void AddFullOptions(CLI::App& command, Arguments& arguments) {
  CaptureTexts& texts = arguments.capture;
  AddText(command, "--time-limit", texts.time_limit, "DURATION",
          "How long to capture, 1s to 24h; needed");
  AddText(command, "--colo-name", texts.colo_name, "NAME",
          "The data center, such as ord02; needed");
  AddDestination(command, arguments);
  AddText(command, "--byte-limit", texts.byte_limit, "COUNT", "Stop after so many bytes");
  AddLimitsAndFilter(command, texts);
}

void AddDestination(CLI::App& command, Arguments& arguments) {
  AddText(command, "--destination-conf", arguments.capture.destination_conf, "URI",
          "The bucket, such as s3://bucket/folder?region=eu-west-1; needed");
  AddText(command, "--destination-conf-file", arguments.capture.destination_conf_file, "FILE",
          "The same, out of a file: for a URI with secrets");
}

void AddOwnershipChallenge(CLI::App& command, Arguments& arguments) {
  AddText(command, "--ownership-challenge", arguments.ownership_challenge, "TEXT",
          "What the file in the bucket says; needed");
  AddText(command, "--ownership-challenge-file", arguments.ownership_challenge_file, "FILE",
          "The same, out of a copy of that file");
}

void AddShell(CLI::App& command, Arguments& arguments) {
  command.add_option("SHELL", arguments.shell, "bash, zsh or fish")
      ->required()
      ->type_name("")
      ->transform(OneOf(kShells));
}

void AddConnectionOptions(CLI::App& app, Arguments& arguments) {
  Settings& settings = arguments.settings;
  app.add_option("--address", settings.address,
                 "Where the gateway listens (default " + ClientOptions().target + ")")
      ->type_name("HOST:PORT")
      ->envname("PCAP_GATEWAY_ADDRESS");
  app.add_flag_function(
      "--tls", [&](int64_t) { settings.tls = true; }, "Connect by TLS; so do the four below");
  app.add_flag_function(
      "--no-tls", [&](int64_t) { settings.tls = false; }, "Do not, whatever the context says");
  AddText(app, "--tls-ca-file", settings.tls_ca_file, "FILE",
          "Whom to trust (default: the system's authorities)");
  AddText(app, "--tls-cert-file", settings.tls_cert_file, "FILE", "Your certificate");
  AddText(app, "--tls-key-file", settings.tls_key_file, "FILE", "Its private key");
  AddText(app, "--tls-server-name", settings.tls_server_name, "NAME",
          "What the gateway's certificate says (default: the address's host)");
  app.add_option("--context", arguments.context, "Take settings from this context")
      ->type_name("NAME")
      ->envname("PCAPCTL_CONTEXT");
  app.add_option("--config", arguments.config,
                 "The contexts' file (default ~/.config/pcapctl/config.yaml)")
      ->type_name("FILE")
      ->envname("PCAPCTL_CONFIG");
  app.add_option("--color", arguments.colour, "auto, always or never")
      ->type_name("WHEN")
      ->transform(OneOf(kColours));
}

std::vector<std::string> WordsOf(const std::string& name) {
  if (name == "output") return WordsOf(kFormats);
  if (name == "color") return WordsOf(kColours);
  return {};
}

std::vector<std::string> ShellWords() { return WordsOf(kShells); }

}  // namespace pcap_client
