// Redis TLS: how a connection to a Redis is encrypted, and whose certificates count.
//
// Needs hiredis' TLS part, which Debian has from 13 on; without it RedisUrlFrom refuses rediss://.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_TLS_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_TLS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// OpenSSL's and hiredis'.
struct ssl_ctx_st;
struct ssl_st;
struct redisContext;

namespace pcap_gateway {

// PEM files. Each may be empty: then the system's authorities, and no certificate of ours.
struct RedisTlsFiles {
  std::string ca_file;
  std::string cert_file;  // with its chain
  std::string key_file;   // belongs to it
};

// Whether this build has it. Without it the rest fails.
bool HasRedisTls();

// Of one connection. Used by one thread at a time.
class RedisTls {
 public:
  // What the files say.
  using Context = std::shared_ptr<ssl_ctx_st>;

  // Reads the files, for as long as that takes: not on the loop. The error says what is wrong with
  // which file, and nothing of what a key holds.
  static absl::StatusOr<Context> Load(const RedisTlsFiles& files);

  // Begins TLS on a connection that is under way; `host`, a name or address, has to stand in the
  // server's certificate. The result is good for as long as `connection` is.
  static absl::StatusOr<RedisTls> Begin(redisContext& connection, const Context& context,
                                        const std::string& host);

  // Whether the handshake is over.
  bool IsUp() const;

  // Why TLS failed just now, as the end of "Redis is down: "; empty: it did not, as far as is
  // known. To be asked by the thread that met it, before the context is freed.
  std::string WhyItFailed() const;

 private:
  explicit RedisTls(ssl_st* session) : session_(session) {}

  ssl_st* session_;  // hiredis'
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_TLS_H_
