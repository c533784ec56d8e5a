// Settings: where the gateway is and how it is asked, from the command line, the environment and a
// context of the configuration file.
//
//   Settings settings = FirstOf(from_command_line, *from_context);
//   absl::StatusOr<ClientOptions> options = ClientOptionsFrom(settings);
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_SETTINGS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_SETTINGS_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// Each is named after its option, --tls-ca-file and so on; empty or absent: not said.
struct Settings {
  std::string address;
  std::string admin_address;
  std::string account;
  std::string api_token_file;
  std::string timeout;
  std::optional<bool> tls;
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string tls_server_name;

  bool operator==(const Settings&) const = default;
};

// The texts of Settings, by their options' names.
inline constexpr std::pair<const char*, std::string Settings::*> kTextSettings[] = {
    {"address", &Settings::address},
    {"admin-address", &Settings::admin_address},
    {"account", &Settings::account},
    {"api-token-file", &Settings::api_token_file},
    {"timeout", &Settings::timeout},
    {"tls-ca-file", &Settings::tls_ca_file},
    {"tls-cert-file", &Settings::tls_cert_file},
    {"tls-key-file", &Settings::tls_key_file},
    {"tls-server-name", &Settings::tls_server_name},
};

// What `first` says, and where it says nothing, what `second` says. The TLS settings go together:
// those of `second` count only where `first` has none of them.
Settings FirstOf(const Settings& first, const Settings& second);

// What holds where nothing was said.
Settings DefaultSettings();

// Where the admin port is: as said, or, if the gateway is on this machine, where it is by default.
// Empty: not known; there may be another gateway on this machine, whose figures would mislead.
std::string AdminAddressOf(const Settings& settings);

// INVALID_ARGUMENT names the one of the two addresses that can be none. What gRPC calls a target,
// as unix:/PATH, is left to gRPC.
absl::Status CheckAddresses(const Settings& settings);

// How to connect, with the files of the TLS settings read. INVALID_ARGUMENT names the setting that
// cannot work.
absl::StatusOr<ClientOptions> ClientOptionsFrom(const Settings& settings);

// `text` as a duration from `least` to `most`: "1m30s", "250ms", "0", as absl::ParseDuration has
// it. Absent: it is none.
std::optional<absl::Duration> DurationFrom(const std::string& text, absl::Duration least,
                                           absl::Duration most);

// `text` as the longest to wait: more than 0. A deadline far away is as good as none, and farther
// ones do not fit into nanoseconds, so a year is the most.
std::optional<absl::Duration> TimeoutFrom(const std::string& text);

// `text`, which the option --NAME says, or what the file that --NAME-file says holds, without the
// blanks and line ends around it; empty: neither is said. INVALID_ARGUMENT: both are, or the file
// cannot be read or is empty.
absl::StatusOr<std::string> OneOfTextAndFile(absl::string_view name, const std::string& text,
                                             const std::string& path);

// The token that --api-token-file's file holds, the line's end left off. INVALID_ARGUMENT: why it
// cannot be read, or that it is empty.
absl::StatusOr<std::string> TokenFrom(const std::string& path);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_SETTINGS_H_
