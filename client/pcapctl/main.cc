// pcapctl: asks a pcap-gateway from the command line.
//
//   pcapctl get 3d2b8c5f1a7e4960b1c2d3e4f5a60718
//   pcapctl -o json get --max-age 0 3d2b8c5f1a7e4960b1c2d3e4f5a60718 | jq .pcap.full.status
//   pcapctl wait --timeout 10m 3d2b8c5f1a7e4960b1c2d3e4f5a60718 && pcapctl --context production …
//   pcapctl status
//
// The answer goes to stdout and everything else to stderr. Exit code: 0, or the number of the
// call's gRPC code (NOT_FOUND 5, UNAVAILABLE 14, …); a wrong command line is 2.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/pcapctl/command_line.h"
#include "client/pcapctl/completion.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/context_file.h"
#include "client/pcapctl/contexts_command.h"
#include "client/pcapctl/explain_connection.h"
#include "client/pcapctl/get_command.h"
#include "client/pcapctl/http_get.h"
#include "client/pcapctl/metric_samples.h"
#include "client/pcapctl/pcap_id.h"
#include "client/pcapctl/print_cache.h"
#include "client/pcapctl/settings.h"
#include "client/pcapctl/status_command.h"
#include "client/pcapctl/wait_command.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {
namespace {

// google.protobuf.Duration's range: about 10,000 years.
constexpr absl::Duration kLongestMaxAge = absl::Seconds(315'576'000'000);
// Of ids on stdin.
constexpr size_t kMostIds = 100'000;
constexpr int kLongestWord = 128;

const std::vector<std::pair<std::string, OutputFormat>> kFormats = {
    {"table", OutputFormat::kTable}, {"wide", OutputFormat::kWide}, {"json", OutputFormat::kJson},
    {"jsonl", OutputFormat::kJsonl}, {"yaml", OutputFormat::kYaml}, {"name", OutputFormat::kName}};
const std::vector<std::pair<std::string, ColourChoice>> kColours = {
    {"auto", ColourChoice::kAuto},
    {"always", ColourChoice::kAlways},
    {"never", ColourChoice::kNever}};
const std::vector<std::pair<std::string, Shell>> kShells = {
    {"bash", Shell::kBash}, {"zsh", Shell::kZsh}, {"fish", Shell::kFish}};

// What the command line says.
struct Arguments {
  Settings settings;
  std::string config;
  std::string context;
  ColourChoice colour = ColourChoice::kAuto;
  std::vector<std::string> pcap_ids;
  std::string max_age;
  std::string interval;
  OutputFormat output = OutputFormat::kTable;
  bool json = false;
  ContextsArguments contexts;
  Shell shell = Shell::kBash;
};

const char* Environment(const char* name) { return std::getenv(name); }

// A check for CLI11: empty, or what is wrong.
std::string CheckMaxAge(const std::string& text) {
  if (DurationFrom(text, absl::ZeroDuration(), kLongestMaxAge)) return "";
  return absl::StrCat("is a duration of 0 or more with its unit, such as 30s or 1m30s; not ", text);
}

std::string CheckTimeout(const std::string& text) {
  if (TimeoutFrom(text)) return "";
  return absl::StrCat("is a duration of more than 0 with its unit, such as 500ms or 30s; not ",
                      text);
}

// "-" stands for ids on stdin, between blanks. INVALID_ARGUMENT: there are none, or too many.
absl::StatusOr<std::vector<std::string>> IdsOf(const Arguments& arguments) {
  std::vector<std::string> ids;
  for (const std::string& id : arguments.pcap_ids) {
    if (id != "-") {
      ids.push_back(id);
      continue;
    }
    // Words that are cut are no ids, and are told as such.
    for (std::string word; std::cin >> std::setw(kLongestWord) >> word;) {
      if (ids.size() == kMostIds) {
        return absl::InvalidArgumentError(
            absl::StrCat("PCAP_ID: stdin has more than ", kMostIds, "; split them, as xargs does"));
      }
      ids.push_back(std::move(word));
    }
  }
  if (ids.empty()) return absl::InvalidArgumentError("PCAP_ID: stdin has none");
  return ids;
}

// What the call of a capture carries; INVALID_ARGUMENT names the option that cannot work.
absl::StatusOr<CallOptions> CallOptionsOf(const Settings& settings) {
  CallOptions options;
  if (settings.api_token_file.empty()) return options;
  const absl::StatusOr<std::string> token = TokenFrom(settings.api_token_file);
  if (!token.ok()) return token.status();
  options.metadata.emplace_back("authorization", absl::StrCat("Bearer ", *token));
  return options;
}

// Of a command that asks a gateway with `client`; of many calls that fail one explanation will do.
Console ConsoleOf(const Arguments& arguments, const ClientOptions& client) {
  const auto told = std::make_shared<std::optional<std::string>>();
  return {.out = Palette(WantsColour(arguments.colour, isatty(STDOUT_FILENO) == 1, Environment)),
          .err_is_terminal = isatty(STDERR_FILENO) == 1,
          .explain = [&client, told](CallError error) {
            if (!error.no_connection) return error;
            if (!told->has_value()) *told = Explained(error, client).message;
            error.message = **told;
            return error;
          }};
}

OutputFormat OutputOf(const Arguments& arguments) {
  return arguments.json ? OutputFormat::kJson : arguments.output;
}

int RunGet(const PcapClient& client, const Settings& settings, const Arguments& arguments,
           const Console& console, bool wait) {
  const absl::StatusOr<CallOptions> options = CallOptionsOf(settings);
  if (!options.ok()) return FailUsage(options.status().message());
  absl::StatusOr<std::vector<std::string>> ids = IdsOf(arguments);
  if (!ids.ok()) return FailUsage(ids.status().message());
  PcapArguments pcaps{
      .pcap_ids = *std::move(ids),
      .account_id = settings.account,
      .max_age = DurationFrom(arguments.max_age, absl::ZeroDuration(), kLongestMaxAge),
      .output = OutputOf(arguments)};
  if (!pcaps.account_id.empty()) {
    const absl::StatusOr<std::string> account = FoldedId(pcaps.account_id);
    if (!account.ok()) {
      return Fail(
          absl::InvalidArgumentError(absl::StrCat("--account: ", account.status().message())));
    }
    pcaps.account_id = *account;
  }
  if (!wait) return Get(client, pcaps, *options, console);
  WaitArguments waiting{.pcaps = std::move(pcaps), .interval = TimeoutFrom(arguments.interval)};
  // Who wants to know every second has no use for an answer of two seconds ago.
  waiting.pcaps.max_age = waiting.interval;
  // Not a context's, which is that of each call.
  if (const auto timeout = TimeoutFrom(arguments.settings.timeout)) waiting.timeout = *timeout;
  return Wait(client, waiting, *options, console);
}

int Cache(const Settings& settings, const Arguments& arguments) {
  const absl::Duration timeout = TimeoutFrom(settings.timeout).value_or(ClientOptions().timeout);
  if (const absl::Status status = CheckAddresses(settings); !status.ok()) {
    return FailUsage(status.message());
  }
  const std::string address = AdminAddressOf(settings);
  if (address.empty()) return FailUsage("--admin-address: needed, as the gateway is elsewhere");
  const auto page = HttpGet(address, "/metrics", timeout);
  if (!page.ok()) return Fail(page.status());
  const MetricSamples samples(*page);
  return PrintAndExit(arguments.json ? CacheJson(samples) : CacheTable(samples));
}

// --- the command line

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

void AddText(CLI::App& app, const char* option, std::string& place, const char* type,
             const char* help) {
  app.add_option(option, place, help)->type_name(type);
}

void AddTimeout(CLI::App& command, Arguments& arguments, const char* help) {
  command.add_option("--timeout", arguments.settings.timeout, help)
      ->type_name("DURATION")
      ->check(CheckTimeout);
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

// For whom a capture is asked.
void AddAccountOptions(CLI::App& command, Arguments& arguments) {
  AddText(command, "--account", arguments.settings.account, "ID",
          "The account (default: the gateway's own)");
  AddText(command, "--api-token-file", arguments.settings.api_token_file, "FILE",
          "Your Cloudflare token, for a gateway with --credential=caller");
}

// What `get` and `wait` share.
void AddPcapOptions(CLI::App& command, Arguments& arguments) {
  command.add_option("PCAP_ID", arguments.pcap_ids, "Captures: 32 hex digits each; - for stdin")
      ->required()
      ->type_name("");
  AddOutput(command, arguments);
  AddAccountOptions(command, arguments);
}

void AddContexts(CLI::App& app, Arguments& arguments) {
  CLI::App& contexts =
      *app.add_subcommand("contexts", "List, use, add and remove the configuration's contexts")
           ->fallthrough();
  contexts
      .add_option("ACTION", arguments.contexts.action,
                  absl::StrCat(absl::StrJoin(ContextActions(), ", "), " (without one: list them)"))
      ->type_name("");
  contexts.add_option("NAME", arguments.contexts.name, "The context's name")->type_name("");
  contexts.add_flag("--names", arguments.contexts.names, "List their names alone");
  // What `add` saves, beside the options of all commands.
  AddAccountOptions(contexts, arguments);
  AddAdminAddress(contexts, arguments)->envname("");
  AddTimeout(contexts, arguments, "The longest to wait for each answer");
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

void Declare(CLI::App& app, Arguments& arguments) {
  app.set_version_flag("--version", "pcapctl " PCAPCTL_VERSION);
  AddConnectionOptions(app, arguments);
  // Of one command, the words after it are its own: a context may be called `get`.
  app.require_subcommand(0, 1);
  app.footer("Exit code: 0, or the gRPC code's number (5 not found, 14 unavailable, …).");

  CLI::App& get = *app.add_subcommand("get", "Print packet captures")->fallthrough();
  AddPcapOptions(get, arguments);
  get.add_option("--max-age", arguments.max_age,
                 "The oldest answer that will do; 0 asks Cloudflare")
      ->type_name("DURATION")
      ->check(CheckMaxAge);
  AddTimeout(get, arguments, "The longest to wait for each (default 10s)");

  CLI::App& wait =
      *app.add_subcommand("wait", "Wait until captures are final, and print them")->fallthrough();
  AddPcapOptions(wait, arguments);
  wait.add_option("--interval", arguments.interval,
                  "Between two questions (default: as long as the gateway keeps an answer)")
      ->type_name("DURATION")
      ->check(CheckTimeout);
  AddTimeout(wait, arguments, "The longest to wait in all (default 15m)");

  CLI::App& status = *app.add_subcommand("status", "Say how the gateway is doing")->fallthrough();
  AddOutput(status, arguments);
  AddAdminAddress(status, arguments);
  AddTimeout(status, arguments, "The longest to wait for each answer (default 10s)");

  CLI::App& cache =
      *app.add_subcommand("cache", "Show what the gateway's cache has done so far")->fallthrough();
  AddAdminAddress(cache, arguments);
  cache.add_flag("--json", arguments.json, "Print the metrics as one JSON object");
  AddTimeout(cache, arguments, "The longest to wait (default 10s)");

  AddContexts(app, arguments);

  app.add_subcommand("help", "Tell of a command, as its --help does");
  app.add_subcommand("version", "Print the version");

  CLI::App& completion = *app.add_subcommand("completion", "Print a shell's completion script");
  completion.add_option("SHELL", arguments.shell, "bash, zsh or fish")
      ->required()
      ->type_name("")
      ->transform(OneOf(kShells));
}

// --- completion

CompletedOption CompletedFrom(const CLI::Option& option, const std::string& name) {
  CompletedOption completed{.name = "--" + name, .help = option.get_description()};
  if (const auto& shorts = option.get_snames(); !shorts.empty()) {
    completed.short_name = "-" + shorts.front();
  }
  if (option.get_items_expected_max() == 0) return completed;
  completed.value = ValueKind::kText;
  if (absl::EndsWith(name, "-file") || name == "config") completed.value = ValueKind::kFile;
  if (name == "context") completed.value = ValueKind::kContext;
  if (name == "output") completed.words = WordsOf(kFormats);
  if (name == "color") completed.words = WordsOf(kColours);
  if (!completed.words.empty()) completed.value = ValueKind::kOneOf;
  return completed;
}

std::vector<CompletedOption> CompletedOptionsOf(const CLI::App& app) {
  std::vector<CompletedOption> completed;
  for (const CLI::Option* const option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      // Every command has it; it is among the program's.
      if (name == "help" && app.get_parent() != nullptr) continue;
      completed.push_back(CompletedFrom(*option, name));
    }
  }
  return completed;
}

CompletedProgram CompletedFrom(const CLI::App& app) {
  CompletedProgram program{.name = app.get_name(), .options = CompletedOptionsOf(app)};
  for (const CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; })) {
    CompletedCommand completed{.name = command->get_name(),
                               .help = command->get_description(),
                               .options = CompletedOptionsOf(*command)};
    if (completed.name == "completion") completed.words = WordsOf(kShells);
    if (completed.name == "contexts") {
      completed.words = ContextActions();
      completed.before_context = ActionsOnContexts();
    }
    program.commands.push_back(std::move(completed));
  }
  std::vector<std::string> names;
  names.reserve(program.commands.size());
  for (const CompletedCommand& command : program.commands) names.push_back(command.name);
  for (CompletedCommand& command : program.commands) {
    if (command.name == "help") command.words = names;
  }
  return program;
}

// --- the program

int RunCommand(const CLI::App& app, const Arguments& arguments) {
  if (app.got_subcommand("completion")) {
    return PrintAndExit(CompletionScript(CompletedFrom(app), arguments.shell));
  }
  if (app.got_subcommand("contexts")) {
    ContextsArguments contexts = arguments.contexts;
    contexts.config = arguments.config;
    contexts.context = arguments.context;
    contexts.settings = arguments.settings;
    return Contexts(contexts, Environment);
  }

  const absl::StatusOr<Settings> context =
      SettingsOfContext(arguments.config, arguments.context, Environment);
  if (!context.ok()) return FailUsage(context.status().message());
  Settings settings = FirstOf(FirstOf(arguments.settings, *context), DefaultSettings());
  if (app.got_subcommand("cache")) return Cache(settings, arguments);

  // A wait may be long, but none of its calls.
  const bool wait = app.got_subcommand("wait");
  if (wait) settings.timeout = context->timeout;
  absl::StatusOr<ClientOptions> options = ClientOptionsFrom(settings);
  if (!options.ok()) return FailUsage(options.status().message());
  options->user_agent = "pcapctl/" PCAPCTL_VERSION;
  const auto client = PcapClient::Create(*options);
  if (!client.ok()) return FailUsage(absl::StrCat("--address: ", client.status().message()));
  const Console console = ConsoleOf(arguments, *options);
  if (app.got_subcommand("status")) {
    return ShowStatus(*client,
                      {.address = settings.address,
                       .admin_address = AdminAddressOf(settings),
                       .admin_address_is_a_guess = settings.admin_address.empty(),
                       .timeout = options->timeout,
                       .output = OutputOf(arguments)},
                      console);
  }
  return RunGet(*client, settings, arguments, console, wait);
}

int Run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Reads Cloudflare packet captures through a pcap-gateway.", "pcapctl");
  Declare(app, arguments);
  absl::StatusOr<std::vector<std::string>> words =
      CommandLine(CompletedFrom(app), {argv + 1, argv + argc});
  if (!words.ok()) return FailUsage(words.status().message());
  // Saved is what was typed; what this shell has set would surprise in another.
  if (!words->empty() && words->front() == "contexts") app.get_option("--address")->envname("");
  try {
    std::reverse(words->begin(), words->end());  // as CLI11 takes a vector
    app.parse(*std::move(words));
  } catch (const CLI::ExtrasError&) {
    return FailUsage(absl::StrCat("more arguments than the command has: ",
                                  absl::StrJoin(app.remaining(/*recurse=*/true), " ")));
  } catch (const CLI::ArgumentMismatch& error) {
    // CLI11 counts: "--address: At Most 1 required but received 2".
    const std::string what = error.what();
    return FailUsage(absl::StrCat(
        what.substr(0, what.find(": ")),
        absl::StrContains(what, "received") ? ": is given more than once" : ": needs a value"));
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    return asked ? app.exit(error) : FailUsage(error.what());
  }
  // Not left to require_subcommand(): that would call a misspelt command a missing one.
  if (app.get_subcommands().empty()) {
    return FailUsage(
        "a command is needed: get, wait, status, cache, contexts, version, completion or help");
  }
  return RunCommand(app, arguments);
}

}  // namespace
}  // namespace pcap_client

int main(int argc, char** argv) {
  // What goes wrong is told by the call's status; gRPC's own log lines would stand in between.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return pcap_client::Run(argc, argv);
}
