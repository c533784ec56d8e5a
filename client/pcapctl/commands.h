// The commands of pcapctl, a row each. What the command line, its help and completion know of
// commands, they know from here.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_COMMANDS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "client/pcapctl/arguments.h"

namespace pcap_client {

struct Command {
  std::string group;  // the word before its name: "create"; empty: none
  std::string name;   // "simple"
  std::string help;   // one line
  void (*declare)(CLI::App& command, Arguments& arguments) = nullptr;  // its options
  // Runs it, and returns the exit code. nullptr: who reads the command line does it.
  int (*run)(const Arguments& arguments) = nullptr;
  std::vector<std::string> (*words)() = nullptr;  // what its first argument may be
  // Those of `words` after which the name of a context stands.
  std::vector<std::string> (*before_context)() = nullptr;
};

struct CommandGroup {
  std::string name;
  std::string help;  // one line
};

// In the order of their help. The commands of a group stand together.
const std::vector<Command>& Commands();
const std::vector<CommandGroup>& CommandGroups();

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_COMMANDS_H_
