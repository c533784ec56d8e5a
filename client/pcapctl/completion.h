// Completion: what a shell offers when somebody presses Tab after `pcapctl`.
//
//   pcapctl completion bash > /etc/bash_completion.d/pcapctl
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_COMPLETION_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_COMPLETION_H_

#include <string>
#include <vector>

namespace pcap_client {

enum class Shell { kBash, kZsh, kFish };

// What an option's value is.
enum class ValueKind { kNone, kText, kFile, kContext, kOneOf };

struct CompletedOption {
  std::string name;        // "--output"
  std::string short_name;  // "-o"; empty: it has none
  std::string help;        // one line
  ValueKind value = ValueKind::kNone;
  std::vector<std::string> words;  // with kOneOf
};

struct CompletedCommand {
  std::string name;  // "get"; of a group: "create"
  std::string help;
  std::vector<CompletedOption> options;
  std::vector<std::string> words;  // what its first argument may be; empty: not known
  // Those of `words` after which the name of a context stands.
  std::vector<std::string> before_context;
  std::vector<CompletedCommand> commands;  // of a group, by their second words
};

struct CompletedProgram {
  std::string name;
  std::vector<CompletedOption> options;  // of all commands
  std::vector<CompletedCommand> commands;
};

// A script for the shell to read. Contexts are asked of `pcapctl contexts --names` when they are
// needed. Names and words are of [a-z0-9-]; help may hold anything in one line.
std::string CompletionScript(const CompletedProgram& program, Shell shell);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_COMPLETION_H_
