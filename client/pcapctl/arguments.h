// Arguments: what the command line says, before anything is made of it.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_ARGUMENTS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_ARGUMENTS_H_

#include <string>
#include <vector>

#include "client/pcapctl/completion.h"
#include "client/pcapctl/contexts_command.h"
#include "client/pcapctl/create_request.h"
#include "client/pcapctl/output_format.h"
#include "client/pcapctl/palette.h"
#include "client/pcapctl/settings.h"

namespace pcap_client {

// Members that the command has no option for keep their initial values.
struct Arguments {
  Settings settings;
  std::string config;
  std::string context;
  ColourChoice colour = ColourChoice::kAuto;
  OutputFormat output = OutputFormat::kTable;
  bool json = false;

  std::vector<std::string> pcap_ids;
  std::string max_age;
  std::string interval;
  CaptureTexts capture;
  bool dry_run = false;
  std::string ownership_challenge;
  std::string ownership_challenge_file;
  std::vector<std::string> ownership_ids;
  bool yes = false;
  std::string file;  // where packets go; "-": stdout
  bool force = false;

  ContextsArguments contexts;
  Shell shell = Shell::kBash;

  OutputFormat format() const { return json ? OutputFormat::kJson : output; }
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_ARGUMENTS_H_
