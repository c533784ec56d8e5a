// The options of pcapctl's commands, for CLI11.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_OPTIONS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/pcapctl/arguments.h"

namespace pcap_client {

// google.protobuf.Duration's range: about 10,000 years.
inline constexpr absl::Duration kLongestMaxAge = absl::Seconds(315'576'000'000);

// Each adds options to `command`; `arguments` outlives it.

// Those of all commands.
void AddConnectionOptions(CLI::App& app, Arguments& arguments);

void AddText(CLI::App& command, const char* option, std::string& place, const char* type,
             const char* help);
void AddTimeout(CLI::App& command, Arguments& arguments, const char* help);
void AddInterval(CLI::App& command, Arguments& arguments);
void AddMaxAge(CLI::App& command, Arguments& arguments);
CLI::Option* AddAdminAddress(CLI::App& command, Arguments& arguments);
void AddOutput(CLI::App& command, Arguments& arguments);
void AddDryRun(CLI::App& command, Arguments& arguments);
// For whom a capture is asked.
void AddAccountOptions(CLI::App& command, Arguments& arguments);
// PCAP_ID, several.
void AddIds(CLI::App& command, Arguments& arguments);
// Where packets go.
void AddFileOptions(CLI::App& command, Arguments& arguments);
// What is captured.
void AddSimpleOptions(CLI::App& command, Arguments& arguments);
void AddFullOptions(CLI::App& command, Arguments& arguments);
// Of a bucket, and the proof that it is one's own.
void AddDestination(CLI::App& command, Arguments& arguments);
void AddOwnershipChallenge(CLI::App& command, Arguments& arguments);
void AddShell(CLI::App& command, Arguments& arguments);

// What the value of the option --NAME may be; empty: not one of a few words.
std::vector<std::string> WordsOf(const std::string& name);

std::vector<std::string> ShellWords();

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_OPTIONS_H_
