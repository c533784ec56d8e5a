// Options: everything an operator can set, finalised. What ReadOptions gives can be started with;
// the defaults stand in option_table.cc.
#ifndef PCAP_GATEWAY_SERVICE_OPTIONS_H_
#define PCAP_GATEWAY_SERVICE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "service/freshness/freshness.h"
#include "service/operations/log_line.h"
#include "service/settings.h"
#include "service/shared/redis_tls.h"
#include "service/shared/redis_url.h"
#include "service/source/credential.h"
#include "service/source/id.h"
#include "service/tracing/sampling.h"

namespace pcap_gateway {

struct Options {
  // HOST:PORT; port 0 takes a free one, which the ready line names.
  std::string listen;
  // Files of the certificate that callers see, of its key, and of the authorities whose
  // certificates callers must show; empty: no TLS, or any caller.
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string tls_client_ca_file;
  // Who may call what (gRFC A43, see access/policy.h); empty: who can connect.
  std::string policy_file;
  // How often these files and the token's are looked at.
  absl::Duration reload_interval;
  // The file that `service_credential` came from; empty: it came from elsewhere.
  std::string api_token_file;
  // Base URL of Cloudflare's API, without a slash at its end.
  std::string upstream_url;
  // PEM file of the certificates that the upstream is checked against; empty: the system's.
  std::string upstream_ca_file;
  // URL of a proxy towards the upstream; empty: none, whatever the environment says.
  std::string upstream_proxy;
  // Null: each caller brings its own credential (--credential=caller).
  std::shared_ptr<const Credential> service_credential;
  // Health says that calls may come: as soon as they can, or once Cloudflare has accepted
  // `service_credential` (see Readiness).
  enum class Ready { kListening, kCredential };
  Ready ready = Ready::kListening;
  // For requests that name no account.
  std::optional<Id> default_account_id;
  // Bytes of answers and their bookkeeping that the cache may hold; 0: no cache.
  int64_t cache_bytes = 0;
  // How long what is kept answers calls.
  FreshnessPolicy freshness;
  // The Redis that replicas share; absent: none.
  std::optional<RedisUrl> redis_url;
  // For that, over TLS.
  RedisTlsFiles redis_tls_files;
  // How long a call waits for Redis.
  absl::Duration redis_timeout;
  // HOST:PORT of metrics and health over HTTP; empty: none.
  std::string admin_listen;
  // The operator named it: then a port that is taken stops the start.
  bool admin_listen_is_explicit = false;
  // HOST:PORT of gRPC's channelz, on loopback; empty: none.
  std::string channelz_listen;
  // Answers carry destination_conf as Cloudflare sent it.
  bool reveal_destination_secrets = false;
  // One request upstream takes no longer than this, repeated or not.
  absl::Duration upstream_timeout;
  // A connection takes no longer than this: the name's address, TCP, TLS.
  absl::Duration upstream_connect_timeout;
  // From a request's last byte to its answer's first.
  absl::Duration upstream_first_byte_timeout;
  // Requests in any five minutes that one credential may send to Cloudflare; 0: any number.
  int64_t upstream_limit = 0;
  // An operator set it: then Cloudflare's own word lowers it, but does not raise it.
  bool upstream_limit_is_explicit = false;
  // Of these, so many are for calls alone; refreshes leave them.
  int64_t upstream_reserve = 0;
  // Of these, so many are for callers who have had less than half of their fair part of them.
  // Absent: a twentieth.
  std::optional<int64_t> caller_hold;
  // Requests in any second that leave this process for Cloudflare, of all callers; 0: any
  // number, which is the default where `upstream_limit` is 0.
  int64_t upstream_address_limit = 0;
  // How often a request that failed for the moment is repeated; 0: never.
  int64_t upstream_retries = 0;
  // Failures in a row after which Cloudflare is left alone for a moment; 0: it never is.
  int64_t upstream_failures = 0;
  // From SIGTERM: still serving, but NOT_SERVING to health checks, so that balancers turn away.
  absl::Duration lame_duck;
  // After that, calls in flight may take this long to finish.
  absl::Duration drain_timeout;
  // Connections of callers at once; 0: as many as there are descriptors for, which bounds any
  // number.
  int64_t max_connections = 0;
  // Calls at once whose answer is not at hand; 0: any number.
  int64_t max_calls = 0;
  // Streams at once that wait for no answer from upstream: health watches, reflection, calls whose
  // request has not come or whose answer is not taken; 0: any number.
  int64_t max_streams = 0;
  // Streams at once of one connection; 0: any number.
  int64_t max_streams_per_connection = 0;
  // How long a stream's first message may take, and its peer to take what it is sent.
  absl::Duration first_message_timeout;
  // URL that the OpenTelemetry collector takes spans at, /v1/traces included; empty: no spans.
  std::string traces_url;
  Sampling sampling;
  // How long a caller may take to read one message of a stream of answers.
  absl::Duration stream_idle_timeout;
  // What callers may do beside reading.
  bool allow_write = false;
  bool allow_download = false;
  // Downloads at once; 0: any number.
  int64_t max_downloads = 0;
  // A larger file is not passed on.
  int64_t most_download_bytes = 0;
  // Serve grpc.reflection.
  bool reflection = false;

  // The form of log lines; absent: text on a terminal, JSON otherwise.
  std::optional<LogFormat> log_format;
  // What is below is not logged.
  LogLevel log_level = LogLevel::kInfo;
  // Of the calls that the cache answers, this share is logged: 0 to 1.
  double log_hits = 0;
  // The file that log lines are appended to; empty: stderr.
  std::string log_file;

  // All options, those at their defaults too.
  std::vector<Setting> settings;
  // What the operator is to be told, one line each: variables that set nothing.
  std::vector<std::string> warnings;
  // The start ends once all this has been looked at.
  enum class Check {
    kNone,    // it goes on
    kFiles,   // files as well
    kOnline,  // and Cloudflare is asked for the credential's state
  };
  Check check = Check::kNone;
};

// The program is to end right away: with this text, to stdout if the code is 0 and to stderr
// otherwise.
struct EarlyExit {
  int code;  // 0 (--help, --version), else that of ExitCodeOf
  std::string text;
};

// Reads flags, then the environment (PCAP_GATEWAY_<NAME>, then the names that others have for it,
// such as CLOUDFLARE_BASE_URL), then the --config file (see option_file.h); the first one that
// names an option wins. `environment` looks a variable up; nullptr where it is not set. An empty
// variable of ours is an empty value; an empty one of the others counts as not set. `variables`:
// the names of all that are set.
//
// An exit that is no success has one line, which names the option, its value, where that comes from
// and what is wanted, and never repeats a secret.
std::variant<Options, EarlyExit> ReadOptions(
    const std::vector<std::string>& arguments,
    const std::function<const char*(const char*)>& environment,
    const std::vector<std::string>& variables = {});

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPTIONS_H_
