#include "service/options.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {
namespace {

using Environment = std::function<const char*(const char*)>;

constexpr int kUnusableOption = 2;
constexpr size_t kMostTokenFileBytes = 64 << 10;

// The options as the operator wrote them; Finalise makes Options of them.
struct RawOptions {
  std::string listen = "127.0.0.1:50051";
  std::string upstream_url = "https://api.cloudflare.com/client/v4";
  std::string upstream_ca_file;
  std::string upstream_proxy;
  std::string upstream_timeout = "30s";
  bool allow_http_upstream = false;
  std::string credential = "service";
  std::string api_token_file;
  std::string default_account_id;
  std::string cache_bytes = "64MiB";
  std::string admin_listen = "127.0.0.1:9464";
  bool reveal_destination_secrets = false;
  std::string lame_duck = "5s";
  std::string drain_timeout = "30s";
  bool reflection = true;
};

absl::Status Refused(absl::string_view option, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--", option, ": ", why));
}

// PCAP_GATEWAY_CACHE_BYTES of "cache-bytes".
std::string VariableOf(absl::string_view option) {
  return absl::StrCat("PCAP_GATEWAY_",
                      absl::StrReplaceAll(absl::AsciiStrToUpper(option), {{"-", "_"}}));
}

// HOST:PORT; an IPv6 host in brackets.
absl::Status CheckAddress(absl::string_view option, absl::string_view address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return Refused(option, "must be HOST:PORT with a port from 0 to 65535");
  }
  const absl::string_view host = address.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']';
  const bool plain = host.find_first_of(":[]/ \t") == absl::string_view::npos;
  if (!bracketed && !plain) return Refused(option, "must be HOST:PORT, an IPv6 host in brackets");
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> ReadDuration(absl::string_view option, absl::string_view text,
                                            absl::Duration least) {
  constexpr absl::Duration kMost = absl::Hours(24);
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) {
    return Refused(option, "must be a duration with its unit, such as 30s or 250ms");
  }
  if (duration < least || duration > kMost) {
    return Refused(option, absl::StrCat("must be from ", absl::FormatDuration(least), " to ",
                                        absl::FormatDuration(kMost)));
  }
  return duration;
}

// 1048576, 64MiB, 64M (both of 1024), 64MB (of 1000).
absl::StatusOr<int64_t> ReadBytes(absl::string_view option, absl::string_view text) {
  constexpr absl::string_view kWant =
      "must be a number of bytes of 0 or more, such as 67108864 or 64MiB";
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  int64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return Refused(option, kWant);
  absl::string_view unit = absl::StripAsciiWhitespace(text.substr(digits));
  if (unit.empty() || unit == "B") return number;
  static constexpr absl::string_view kUnits = "KMGT";
  const size_t power = kUnits.find(absl::ascii_toupper(unit[0]));
  const absl::string_view rest = unit.substr(1);
  const bool binary = rest.empty() || rest == "iB" || rest == "i";
  if (power == absl::string_view::npos || (!binary && rest != "B")) return Refused(option, kWant);
  for (size_t i = 0; i <= power; ++i) {
    if (__builtin_mul_overflow(number, binary ? 1024 : 1000, &number)) {
      return Refused(option, "is more than this machine can count");
    }
  }
  return number;
}

bool IsLoopback(absl::string_view host) {
  return host == "localhost" || host == "[::1]" || host == "::1" || absl::StartsWith(host, "127.");
}

// The base URL without its last slash. Plain http sends the credential in clear, so it needs a
// reason.
absl::StatusOr<std::string> ReadUpstreamUrl(absl::string_view url, bool allow_http) {
  constexpr absl::string_view kOption = "upstream-url";
  while (absl::EndsWith(url, "/")) url.remove_suffix(1);
  const bool https = absl::StartsWithIgnoreCase(url, "https://");
  const bool http = absl::StartsWithIgnoreCase(url, "http://");
  if (!https && !http) return Refused(kOption, "must begin with https://");
  const absl::string_view rest = url.substr(https ? 8 : 7);
  const absl::string_view authority = rest.substr(0, rest.find('/'));
  const bool printable =
      std::all_of(url.begin(), url.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
  if (authority.empty() || !printable || absl::StrContains(url, "?") ||
      absl::StrContains(url, "#")) {
    return Refused(kOption, "must be a URL with a host and without query or fragment");
  }
  if (absl::StrContains(authority, "@")) {
    return Refused(kOption, "must not carry a user name or password");
  }
  const bool v6 = authority[0] == '[';
  const absl::string_view host =
      v6 ? authority.substr(0, authority.find(']') + 1) : authority.substr(0, authority.find(':'));
  if (http && !allow_http && !IsLoopback(host)) {
    return Refused(kOption,
                   "plain http to another machine would send the credential in clear; use https, "
                   "or --allow-http-upstream");
  }
  return std::string(url);
}

absl::Status CheckReadable(absl::string_view option, const std::string& path) {
  if (!std::ifstream(path).good()) return Refused(option, absl::StrCat("cannot read ", path));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  constexpr absl::string_view kOption = "api-token-file";
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return Refused(kOption, absl::StrCat("cannot read ", path));
  if (S_ISDIR(info.st_mode)) return Refused(kOption, absl::StrCat(path, " is a directory"));
  std::ifstream file(path, std::ios::binary);
  std::string token(kMostTokenFileBytes + 1, '\0');
  file.read(token.data(), static_cast<std::streamsize>(token.size()));
  if (file.bad() || (!file.is_open())) return Refused(kOption, absl::StrCat("cannot read ", path));
  token.resize(static_cast<size_t>(file.gcount()));
  if (token.size() > kMostTokenFileBytes) {
    return Refused(kOption, absl::StrCat(path, " is too large to hold a token"));
  }
  return token;
}

// What the credential's own error says, after where it came from.
absl::StatusOr<std::shared_ptr<const Credential>> From(
    absl::string_view where, absl::StatusOr<std::shared_ptr<const Credential>> credential) {
  if (credential.ok()) return credential;
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", credential.status().message()));
}

// The gateway's own credential: --api-token-file, else CLOUDFLARE_API_TOKEN, else CLOUDFLARE_EMAIL
// and CLOUDFLARE_API_KEY.
absl::StatusOr<std::shared_ptr<const Credential>> ReadServiceCredential(
    const RawOptions& raw, const Environment& environment) {
  constexpr auto kOwner = Credential::Owner::kGateway;
  if (!raw.api_token_file.empty()) {
    absl::StatusOr<std::string> token = ReadTokenFile(raw.api_token_file);
    if (!token.ok()) return token.status();
    return From("--api-token-file", Credential::FromToken(kOwner, *token));
  }
  if (const char* token = environment("CLOUDFLARE_API_TOKEN")) {
    return From("CLOUDFLARE_API_TOKEN", Credential::FromToken(kOwner, token));
  }
  const char* email = environment("CLOUDFLARE_EMAIL");
  const char* key = environment("CLOUDFLARE_API_KEY");
  if (email != nullptr && key != nullptr) {
    return From("CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY",
                Credential::FromEmailAndKey(kOwner, email, key));
  }
  if (email != nullptr || key != nullptr) {
    return absl::InvalidArgumentError(
        "CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY: one is set without the other");
  }
  return Refused("credential",
                 "no Cloudflare credential: give --api-token-file, CLOUDFLARE_API_TOKEN, or "
                 "CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY; or let callers bring theirs with "
                 "--credential=caller");
}

// Raw texts to usable values; the first that cannot be used ends it.
absl::StatusOr<Options> Finalise(const RawOptions& raw, const Environment& environment) {
  Options options;
  if (auto status = CheckAddress("listen", raw.listen); !status.ok()) return status;
  options.listen = raw.listen;

  auto url = ReadUpstreamUrl(raw.upstream_url, raw.allow_http_upstream);
  if (!url.ok()) return url.status();
  options.upstream_url = *std::move(url);
  if (!raw.upstream_ca_file.empty()) {
    if (auto status = CheckReadable("upstream-ca-file", raw.upstream_ca_file); !status.ok()) {
      return status;
    }
  }
  options.upstream_ca_file = raw.upstream_ca_file;
  options.upstream_proxy = raw.upstream_proxy;

  const struct {
    absl::string_view option;
    const std::string& text;
    absl::Duration least;
    absl::Duration& place;
  } durations[] = {
      {"upstream-timeout", raw.upstream_timeout, absl::Milliseconds(1), options.upstream_timeout},
      {"lame-duck", raw.lame_duck, absl::ZeroDuration(), options.lame_duck},
      {"drain-timeout", raw.drain_timeout, absl::ZeroDuration(), options.drain_timeout},
  };
  for (const auto& each : durations) {
    auto duration = ReadDuration(each.option, each.text, each.least);
    if (!duration.ok()) return duration.status();
    each.place = *duration;
  }

  if (!raw.default_account_id.empty()) {
    options.default_account_id = Id::Parse(raw.default_account_id);
    if (!options.default_account_id.has_value()) {
      return Refused("default-account-id", "must be 32 lower-case hexadecimal digits");
    }
  }

  auto bytes = ReadBytes("cache-bytes", raw.cache_bytes);
  if (!bytes.ok()) return bytes.status();
  options.cache_bytes = *bytes;

  if (!raw.admin_listen.empty()) {
    if (auto status = CheckAddress("admin-listen", raw.admin_listen); !status.ok()) return status;
  }
  options.admin_listen = raw.admin_listen;
  options.reveal_destination_secrets = raw.reveal_destination_secrets;
  options.reflection = raw.reflection;

  if (raw.credential != "service" && raw.credential != "caller") {
    return Refused("credential", "must be `service` or `caller`");
  }
  if (raw.credential == "service") {
    auto credential = ReadServiceCredential(raw, environment);
    if (!credential.ok()) return credential.status();
    options.service_credential = *std::move(credential);
  }
  return options;
}

void Declare(CLI::App& app, RawOptions& raw) {
  app.add_option("--listen", raw.listen, "HOST:PORT of the gRPC service; port 0 takes a free one");
  app.add_option("--upstream-url", raw.upstream_url,
                 "Base URL of Cloudflare's API (also CLOUDFLARE_BASE_URL)");
  app.add_option("--upstream-ca-file", raw.upstream_ca_file,
                 "PEM file of the certificates to trust instead of the system's");
  app.add_option("--upstream-proxy", raw.upstream_proxy,
                 "URL of a proxy; the environment's proxies are not used");
  app.add_option("--upstream-timeout", raw.upstream_timeout,
                 "The longest that one request to Cloudflare may take");
  app.add_flag("--allow-http-upstream", raw.allow_http_upstream,
               "Accept a plain http upstream that is not on this machine");
  app.add_option("--credential", raw.credential,
                 "`service`: one credential for all calls; `caller`: each call brings its own");
  app.add_option("--api-token-file", raw.api_token_file,
                 "File with the API token; else CLOUDFLARE_API_TOKEN, else CLOUDFLARE_EMAIL and "
                 "CLOUDFLARE_API_KEY");
  app.add_option("--default-account-id", raw.default_account_id,
                 "Account of requests that name none (also CLOUDFLARE_ACCOUNT_ID)");
  app.add_option("--cache-bytes", raw.cache_bytes, "Memory of the cache; 0 turns it off");
  app.add_option("--admin-listen", raw.admin_listen,
                 "HOST:PORT of metrics and health over HTTP; empty for none");
  app.add_flag("--reveal-destination-secrets", raw.reveal_destination_secrets,
               "Answer with destination_conf as Cloudflare sent it");
  app.add_option("--lame-duck", raw.lame_duck,
                 "How long to go on serving after SIGTERM, for balancers to turn away");
  app.add_option("--drain-timeout", raw.drain_timeout,
                 "How long calls in flight may take to finish after that");
  app.add_flag("--reflection,!--no-reflection", raw.reflection, "Serve gRPC reflection (default)");
}

// Cloudflare's own names for some options, next to ours.
const char* CloudflareVariableOf(absl::string_view option) {
  if (option == "upstream-url") return "CLOUDFLARE_BASE_URL";
  if (option == "default-account-id") return "CLOUDFLARE_ACCOUNT_ID";
  return nullptr;
}

// The environment as arguments. They go before the command line's, of which the last one of a name
// wins.
std::vector<std::string> FromEnvironment(const CLI::App& app, const Environment& environment) {
  std::vector<std::string> arguments;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_single_name();
    if (name == "help" || name == "version") continue;
    const char* value = environment(VariableOf(name).c_str());
    const char* const other = CloudflareVariableOf(name);
    if (value == nullptr && other != nullptr) value = environment(other);
    if (value != nullptr) arguments.push_back(absl::StrCat("--", name, "=", value));
  }
  return arguments;
}

// `--name=` as two arguments: CLI11 would take what follows for the empty value.
std::vector<std::string> WithEmptyValues(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (const std::string& argument : arguments) {
    if (absl::StartsWith(argument, "--") && absl::EndsWith(argument, "=")) {
      result.push_back(argument.substr(0, argument.size() - 1));
      result.emplace_back();
    } else {
      result.push_back(argument);
    }
  }
  return result;
}

EarlyExit Unusable(absl::string_view message) {
  const std::string line = absl::StrReplaceAll(message, {{"\n", " "}});
  return {kUnusableOption, absl::StrCat("pcap-gateway: ", absl::StripAsciiWhitespace(line))};
}

}  // namespace

std::variant<Options, EarlyExit> ReadOptions(const std::vector<std::string>& arguments,
                                             const Environment& environment) {
  RawOptions raw;
  CLI::App app("Reads Cloudflare packet captures for gRPC callers, typed and cached.",
               "pcap-gateway");
  app.option_defaults()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->always_capture_default();
  app.set_version_flag("--version", absl::StrCat("pcap-gateway ", PCAP_GATEWAY_VERSION));
  app.set_config("--config", "", "File of `name = value` lines, one an option");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.footer(
      "Each option is also an environment variable, PCAP_GATEWAY_ and its name in capitals, and a "
      "line of the --config file. Flags come first, then the environment, then the file.");
  Declare(app, raw);

  std::vector<std::string> all = FromEnvironment(app, environment);
  all.insert(all.end(), arguments.begin(), arguments.end());
  all = WithEmptyValues(all);
  std::reverse(all.begin(), all.end());  // CLI11 takes them from the back
  try {
    app.parse(all);
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{0, std::string(absl::StripTrailingAsciiWhitespace(app.help()))};
  } catch (const CLI::CallForVersion&) {
    return EarlyExit{0, absl::StrCat("pcap-gateway ", PCAP_GATEWAY_VERSION)};
  } catch (const CLI::ParseError& error) {
    return Unusable(error.what());
  }
  absl::StatusOr<Options> options = Finalise(raw, environment);
  if (!options.ok()) return Unusable(options.status().message());
  options->admin_listen_is_explicit = app.get_option("--admin-listen")->count() > 0;
  return *std::move(options);
}

}  // namespace pcap_gateway
