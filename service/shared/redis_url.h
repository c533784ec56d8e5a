// RedisUrl: where a Redis is, and how to get in.
//
//   redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
//   rediss://…                                           over TLS
//   unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]
//
// As Redis' own clients write it (redis-cli -u), with percent-encoding in user, password and path.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_URL_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_URL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

struct RedisUrl {
  std::string host;  // name or address, an IPv6 one without brackets; empty: `path` counts
  int port = 6379;
  bool tls = false;
  std::string path;      // of a Unix socket
  std::string user;      // empty: the default one
  std::string password;  // empty: none
  int database = 0;
};

// The error says what is wrong, as the end of a sentence that begins with the option's name, and
// repeats nothing of the text: it holds a password. `rediss://` is one where this build has no TLS
// for Redis (redis_tls.h).
absl::StatusOr<RedisUrl> RedisUrlFrom(absl::string_view text);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_URL_H_
