// Contexts: gateways by name, so that nobody types addresses and certificates.
//
//   current-context: staging
//   contexts:
//     staging:
//       address: pcap-gateway.staging.example:50051
//       account: 023e105f4ecef8ad9ca31a8372d0c353
//     production:
//       address: pcap-gateway.example:443
//       tls-ca-file: /etc/ssl/corporate.pem
//       tls-cert-file: /home/jo/.pcapctl/jo.pem
//       tls-key-file: /home/jo/.pcapctl/jo.key
//
// A context's keys are the names of pcapctl's options.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXT_FILE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXT_FILE_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/pcapctl/settings.h"

namespace pcap_client {

struct ContextFile {
  std::string current;  // empty: none
  std::map<std::string, Settings> contexts;
};

// The file's contexts, from YAML. INVALID_ARGUMENT says in one line what is wrong, and where:
// no YAML, several documents, a key that is not known, a value that is no text, a name that is not
// one line, a current context that is not there.
absl::StatusOr<ContextFile> ParseContextFile(const std::string& yaml);

// The settings of the context called `name`, or of the current one where `name` is empty; none
// where there is no such. `path`: the file; where it is empty, the one at its usual place, if it is
// there: $XDG_CONFIG_HOME/pcapctl/config.yaml, or ~/.config/pcapctl/config.yaml. `environment`
// looks a variable up; nullptr where it is not set. INVALID_ARGUMENT: the file cannot be read or is
// wrong, or has no context of that name.
absl::StatusOr<Settings> SettingsOfContext(
    const std::string& path, const std::string& name,
    const std::function<const char*(const char*)>& environment);

// The file itself, found in the same way; no contexts where there is none.
absl::StatusOr<ContextFile> ReadContextFile(
    const std::string& path, const std::function<const char*(const char*)>& environment);

// Its text, found in the same way; empty where there is none.
absl::StatusOr<std::string> ContextFileText(
    const std::string& path, const std::function<const char*(const char*)>& environment);

// Where it is, or would be; empty: nowhere, as `path` is empty and the environment has no home.
std::string ContextFilePath(const std::string& path,
                            const std::function<const char*(const char*)>& environment);

// INVALID_ARGUMENT: no context can have this name. One that can is one line, so that a list of
// names has a line each.
absl::Status CheckContextName(absl::string_view name);

// Says that `file` has no context called `name`, and which may have been meant.
std::string NoSuchContext(const ContextFile& file, absl::string_view name);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXT_FILE_H_
