// Credential: what proves to Cloudflare who asks, and the partition of the cache that it opens.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_CREDENTIAL_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_CREDENTIAL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/source/secret_finder.h"

namespace pcap_gateway {

// Names a credential without giving it away: two credentials have the same partition only if they
// are the same.
using Partition = std::array<uint8_t, 16>;

// Immutable once made, shared between threads. Never printed: it has no conversion to text.
class Credential {
 public:
  // Whose it is decides what 401 and 403 mean: the caller's own mistake, or the gateway's.
  enum class Owner { kGateway, kCaller };

  // An API token, sent as `Authorization: Bearer`. White space around it (a token file's last
  // newline) is dropped; a token that is empty, longer than 4 KiB or has anything but printable
  // ASCII inside is INVALID_ARGUMENT, and the status's message never repeats it.
  static absl::StatusOr<std::shared_ptr<const Credential>> FromToken(Owner owner,
                                                                     absl::string_view token);

  // A user's email and global API key, sent as `X-Auth-Email` and `X-Auth-Key`. Same rules as for a
  // token, for both.
  static absl::StatusOr<std::shared_ptr<const Credential>> FromEmailAndKey(Owner owner,
                                                                           absl::string_view email,
                                                                           absl::string_view key);

  Owner owner() const { return owner_; }

  // First 128 bits of a SHA-256 over kind and secret.
  const Partition& partition() const { return partition_; }

  // HMAC-SHA256 of `text` under the secret: only who has the credential can make it. `text` begins
  // with what it is for, so that what was made for one purpose is of no use for another.
  std::array<uint8_t, 32> Mac(absl::string_view text) const;

  // Replaces the secret, and the email that goes with it, wherever they stand in `text`, in
  // whatever form (secret_finder.h): a server may repeat what it was sent. A secret of less than 16
  // characters is left: none of Cloudflare's is so short, and it may be part of any word.
  void RedactFrom(std::string& text) const;

  // Finds them.
  const SecretFinder& finder() const;

  // Whole header lines for the request upstream, `Name: value`.
  const std::vector<std::string>& header_lines() const { return header_lines_; }

 private:
  Credential(Owner owner, Partition partition, std::string email, std::string secret,
             std::vector<std::string> header_lines);

  const Owner owner_;
  const Partition partition_;
  const std::string email_;  // empty: there is none
  const std::string secret_;
  const std::vector<std::string> header_lines_;
  // Made when it is first needed: a hit in the cache has no text to look through.
  mutable std::once_flag finder_made_;
  mutable std::unique_ptr<const SecretFinder> finder_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_CREDENTIAL_H_
