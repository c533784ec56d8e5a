#include "client/pcapctl/settings.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/pcapctl/text_file.h"

namespace pcap_client {
namespace {

constexpr char kDefaultAdminAddress[] = "127.0.0.1:9464";
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);

std::string OneOf(const std::string& first, const std::string& second) {
  return first.empty() ? second : first;
}

bool SaysTls(const Settings& settings) {
  return settings.tls.has_value() || !settings.tls_ca_file.empty() ||
         !settings.tls_cert_file.empty() || !settings.tls_key_file.empty() ||
         !settings.tls_server_name.empty();
}

absl::Status Refused(absl::string_view option, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--", option, ": ", why));
}

// Puts what the file holds into `place`, if one is named. It has to have a PEM block of `kind`.
absl::Status ReadPem(absl::string_view option, const std::string& path, absl::string_view kind,
                     std::string& place) {
  if (path.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return Refused(option, text.status().message());
  if (!absl::StrContains(*text, absl::StrCat(kind, "-----"))) {
    return Refused(option,
                   absl::StrCat(path, " holds no ", absl::AsciiStrToLower(kind), " in PEM form"));
  }
  place = *std::move(text);
  return absl::OkStatus();
}

// HOST:PORT, an IPv6 host in brackets. gRPC takes port 99999 for 34463.
bool IsHostAndPort(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) return false;
  const absl::string_view host = text.substr(0, colon);
  const absl::string_view digits = text.substr(colon + 1);
  const bool in_brackets = host.front() == '[' && host.back() == ']';
  if (!in_brackets && absl::StrContains(host, ':')) return false;
  int port = 0;
  return std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(digits, &port) && port > 0 && port <= 65535;
}

bool IsGrpcTarget(absl::string_view text) {
  constexpr const char* kSchemes[] = {
      "dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:", "vsock:", "xds:"};
  return std::any_of(std::begin(kSchemes), std::end(kSchemes),
                     [&](const char* scheme) { return absl::StartsWith(text, scheme); });
}

absl::StatusOr<std::optional<TlsOptions>> TlsFrom(const Settings& settings) {
  if (!SaysTls(settings)) return std::nullopt;
  if (settings.tls == false) {
    Settings rest = settings;
    rest.tls.reset();
    if (SaysTls(rest)) return Refused("no-tls", "contradicts the other TLS settings");
    return std::nullopt;
  }
  if (settings.tls_cert_file.empty() != settings.tls_key_file.empty()) {
    return Refused("tls-cert-file", "goes together with --tls-key-file");
  }
  TlsOptions tls{.server_name = settings.tls_server_name};
  absl::Status status =
      ReadPem("tls-ca-file", settings.tls_ca_file, "CERTIFICATE", tls.root_certificates);
  status.Update(
      ReadPem("tls-cert-file", settings.tls_cert_file, "CERTIFICATE", tls.certificate_chain));
  status.Update(ReadPem("tls-key-file", settings.tls_key_file, "PRIVATE KEY", tls.private_key));
  if (!status.ok()) return status;
  return tls;
}

}  // namespace

Settings FirstOf(const Settings& first, const Settings& second) {
  const Settings& tls = SaysTls(first) ? first : second;
  return {
      .address = OneOf(first.address, second.address),
      .admin_address = OneOf(first.admin_address, second.admin_address),
      .account = OneOf(first.account, second.account),
      .api_token_file = OneOf(first.api_token_file, second.api_token_file),
      .timeout = OneOf(first.timeout, second.timeout),
      .tls = tls.tls,
      .tls_ca_file = tls.tls_ca_file,
      .tls_cert_file = tls.tls_cert_file,
      .tls_key_file = tls.tls_key_file,
      .tls_server_name = tls.tls_server_name,
  };
}

Settings DefaultSettings() { return {.address = ClientOptions().target}; }

std::string AdminAddressOf(const Settings& settings) {
  if (!settings.admin_address.empty()) return settings.admin_address;
  for (const char* const here : {"127.", "localhost:", "[::1]:", "unix:"}) {
    if (absl::StartsWith(settings.address, here)) return kDefaultAdminAddress;
  }
  return "";
}

absl::Status CheckAddresses(const Settings& settings) {
  for (const auto& [option, address] : {std::pair("address", settings.address),
                                        std::pair("admin-address", settings.admin_address)}) {
    if (address.empty() || IsHostAndPort(address)) continue;
    if (address == settings.address && IsGrpcTarget(address)) continue;
    return Refused(option,
                   absl::StrCat("is HOST:PORT, an IPv6 host in brackets, the port from 1 to "
                                "65535, without http:// or https://; not ",
                                address));
  }
  return absl::OkStatus();
}

absl::StatusOr<ClientOptions> ClientOptionsFrom(const Settings& settings) {
  if (absl::Status status = CheckAddresses(settings); !status.ok()) return status;
  absl::StatusOr<std::optional<TlsOptions>> tls = TlsFrom(settings);
  if (!tls.ok()) return tls.status();
  ClientOptions options{.target = settings.address, .tls = *std::move(tls)};
  if (!settings.timeout.empty()) {
    const std::optional<absl::Duration> timeout = TimeoutFrom(settings.timeout);
    if (!timeout.has_value()) return Refused("timeout", "not a duration of more than 0");
    options.timeout = *timeout;
  }
  return options;
}

std::optional<absl::Duration> DurationFrom(const std::string& text, absl::Duration least,
                                           absl::Duration most) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) return std::nullopt;
  if (duration < least || duration > most) return std::nullopt;
  return duration;
}

std::optional<absl::Duration> TimeoutFrom(const std::string& text) {
  return DurationFrom(text, absl::Milliseconds(1), kLongestTimeout);
}

absl::StatusOr<std::string> OneOfTextAndFile(absl::string_view name, const std::string& text,
                                             const std::string& path) {
  if (path.empty()) return text;
  const std::string option = absl::StrCat(name, "-file");
  if (!text.empty()) {
    return Refused(option, absl::StrCat("says what --", name, " says; give one of them"));
  }
  absl::StatusOr<std::string> read = ReadTextFile(path);
  if (!read.ok()) return Refused(option, read.status().message());
  absl::StripAsciiWhitespace(&*read);
  if (read->empty()) return Refused(option, absl::StrCat(path, " is empty"));
  return read;
}

absl::StatusOr<std::string> TokenFrom(const std::string& path) {
  return OneOfTextAndFile("api-token", "", path);
}

}  // namespace pcap_client
