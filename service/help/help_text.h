// What --help prints of a program and of its commands. CLI11 has a layout of its own, and another
// one in each version: words, order and breaks that people and scripts read would come and go.
#ifndef PCAP_GATEWAY_SERVICE_HELP_HELP_TEXT_H_
#define PCAP_GATEWAY_SERVICE_HELP_HELP_TEXT_H_

#include <CLI/CLI.hpp>
#include <string>

namespace pcap_gateway {

// For App::formatter_fn, which commands that are added later take over. `name`: the words that the
// command is called by.
std::string HelpText(const CLI::App* app, const std::string& name, CLI::AppFormatMode mode);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_HELP_HELP_TEXT_H_
