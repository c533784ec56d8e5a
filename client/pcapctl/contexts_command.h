// `pcapctl contexts`: lists the contexts of the configuration, and changes them.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXTS_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXTS_COMMAND_H_

#include <functional>
#include <string>
#include <vector>

#include "client/pcapctl/settings.h"

namespace pcap_client {

struct ContextsArguments {
  std::string config;   // as --config says
  std::string context;  // as --context says
  std::string action;   // empty: list them
  std::string name;     // empty: not said
  bool names = false;   // the list has names alone
  Settings settings;    // what `add` saves, as the command line says
};

// What `action` may be.
std::vector<std::string> ContextActions();

// Those of them that take the name of a context that there is.
std::vector<std::string> ActionsOnContexts();

// Lists, or changes the file and says so in a line. `environment` looks a variable up; nullptr
// where it is not set. Returns the exit code.
int Contexts(const ContextsArguments& arguments,
             const std::function<const char*(const char*)>& environment);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXTS_COMMAND_H_
