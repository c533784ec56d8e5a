// pcapctl: works with packet captures through a pcap-gateway, from the command line.
//
//   pcapctl get 3d2b8c5f1a7e4960b1c2d3e4f5a60718
//   pcapctl -o json get --max-age 0 3d2b8c5f1a7e4960b1c2d3e4f5a60718 | jq .pcap.full.status
//   pcapctl create simple --source-address 192.0.2.1 --time-limit 10s
//   pcapctl download 3d2b8c5f1a7e4960b1c2d3e4f5a60718 -w - | tshark -r -
//
// The answer goes to stdout and everything else to stderr. Exit code: 0, or the number of the
// call's gRPC code (NOT_FOUND 5, UNAVAILABLE 14, …); a wrong command line is 2.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/pcapctl/arguments.h"
#include "client/pcapctl/command_line.h"
#include "client/pcapctl/commands.h"
#include "client/pcapctl/completion.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/options.h"
#include "service/help/help_text.h"

namespace pcap_client {
namespace {

// The commands, as CLI11 has them: those of `Commands()`, in its order.
using Declared = std::vector<std::pair<const Command*, CLI::App*>>;

Declared Declare(CLI::App& app, Arguments& arguments) {
  app.formatter_fn(pcap_gateway::HelpText);
  app.set_version_flag("--version", "pcapctl " PCAPCTL_VERSION);
  AddConnectionOptions(app, arguments);
  // Of one command, the words after it are its own: a context may be called `get`.
  app.require_subcommand(0, 1);
  app.footer("Exit code: 0, or the gRPC code's number (5 not found, 14 unavailable, …).");
  Declared declared;
  std::map<std::string, CLI::App*> groups;
  for (const Command& command : Commands()) {
    CLI::App* parent = &app;
    if (!command.group.empty()) {
      CLI::App*& group = groups[command.group];
      for (const CommandGroup& each : CommandGroups()) {
        if (group != nullptr || each.name != command.group) continue;
        group = app.add_subcommand(each.name, each.help)->fallthrough();
        group->require_subcommand(0, 1);
      }
      parent = group;
    }
    CLI::App* const place = parent->add_subcommand(command.name, command.help)->fallthrough();
    if (command.declare != nullptr) command.declare(*place, arguments);
    declared.emplace_back(&command, place);
  }
  return declared;
}

// --- completion

CompletedOption CompletedFrom(const CLI::Option& option, const std::string& name) {
  CompletedOption completed{.name = "--" + name, .help = option.get_description()};
  if (const auto& shorts = option.get_snames(); !shorts.empty()) {
    completed.short_name = "-" + shorts.front();
  }
  if (option.get_items_expected_max() == 0) return completed;
  completed.value = ValueKind::kText;
  if (option.get_type_name() == "FILE") completed.value = ValueKind::kFile;
  if (name == "context") completed.value = ValueKind::kContext;
  completed.words = WordsOf(name);
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

CompletedProgram CompletedFrom(const CLI::App& app, const Declared& declared) {
  CompletedProgram program{.name = app.get_name(), .options = CompletedOptionsOf(app)};
  for (const auto& [command, place] : declared) {
    CompletedCommand completed{
        .name = command->name, .help = command->help, .options = CompletedOptionsOf(*place)};
    if (command->words != nullptr) completed.words = command->words();
    if (command->before_context != nullptr) completed.before_context = command->before_context();
    if (command->group.empty()) {
      program.commands.push_back(std::move(completed));
      continue;
    }
    if (program.commands.empty() || program.commands.back().name != command->group) {
      const CLI::App& group = *place->get_parent();
      program.commands.push_back({.name = group.get_name(), .help = group.get_description()});
    }
    program.commands.back().commands.push_back(std::move(completed));
  }
  return program;
}

// --- the program

int RunCommand(const CLI::App& app, const Declared& declared, const Arguments& arguments) {
  for (const auto& [command, place] : declared) {
    if (!place->parsed()) continue;
    if (command->run != nullptr) return command->run(arguments);
    return PrintAndExit(CompletionScript(CompletedFrom(app, declared), arguments.shell));
  }
  return FailUsage("a command is needed");
}

int Run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Works with Cloudflare packet captures through a pcap-gateway.", "pcapctl");
  const Declared declared = Declare(app, arguments);
  absl::StatusOr<std::vector<std::string>> words =
      CommandLine(CompletedFrom(app, declared), {argv + 1, argv + argc});
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
  return RunCommand(app, declared, arguments);
}

}  // namespace
}  // namespace pcap_client

int main(int argc, char** argv) {
  // What goes wrong is told by the call's status; gRPC's own log lines would stand in between.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return pcap_client::Run(argc, argv);
}
