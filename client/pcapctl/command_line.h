// The words of a command line, as people type them, brought into the one form that is parsed.
//
//   typed                  parsed
//   -o json get ID         get -o json ID
//   help get               get --help
//   create -o json full    create full -o json
//   gte ID                 there is no command "gte"; did you mean get?
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_COMMAND_LINE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/pcapctl/completion.h"

namespace pcap_client {

// `typed`, without the program's name: the command first, then the options and arguments in the
// order in which they were given; all as it is where it asks for help or the version alone.
// INVALID_ARGUMENT says in one line which word is wrong, and what
// may have been meant: a command or an option that there is not, or that is another command's.
absl::StatusOr<std::vector<std::string>> CommandLine(const CompletedProgram& program,
                                                     const std::vector<std::string>& typed);

// The one of `known` that `word` is a slip of the keys away from, or whose beginning it is; empty:
// none is near.
std::string MeantBy(absl::string_view word, const std::vector<std::string>& known);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_COMMAND_LINE_H_
