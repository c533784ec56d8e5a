#include "service/source/credential.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostBytes = 4096;

// The secret as it may stand in a header line, or why it may not. libcurl sends what it is given,
// so a line break in here would be a second header.
absl::StatusOr<std::string> CleanSecret(absl::string_view what, absl::string_view secret) {
  secret = absl::StripAsciiWhitespace(secret);
  if (secret.empty()) return absl::InvalidArgumentError(absl::StrCat("the ", what, " is empty"));
  if (secret.size() > kMostBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the ", what, " is longer than 4 KiB"));
  }
  if (!std::all_of(secret.begin(), secret.end(),
                   [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", what, " contains a space, a line break or another character that is ",
                     "not printable ASCII"));
  }
  return std::string(secret);
}

// Each part goes in with its length, so that no two different credentials hash the same text.
Partition PartitionOf(absl::string_view kind, absl::string_view first, absl::string_view second) {
  const std::string text = absl::StrCat("pcap-gateway partition 1/", kind, "/", first.size(), "/",
                                        first, "/", second.size(), "/", second);
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
  Partition partition;
  std::copy_n(digest.begin(), partition.size(), partition.begin());
  return partition;
}

}  // namespace

Credential::Credential(Owner owner, Partition partition, std::string email, std::string secret,
                       std::vector<std::string> header_lines)
    : owner_(owner),
      partition_(partition),
      email_(std::move(email)),
      secret_(std::move(secret)),
      header_lines_(std::move(header_lines)) {}

std::array<uint8_t, 32> Credential::Mac(absl::string_view text) const {
  std::array<uint8_t, 32> mac;
  unsigned int size = mac.size();
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const uint8_t*>(text.data()), text.size(), mac.data(), &size);
  return mac;
}

void Credential::RedactFrom(std::string& text) const { finder().Redact(text); }

const SecretFinder& Credential::finder() const {
  constexpr size_t kShortestSecret = 16;
  std::call_once(finder_made_, [this] {
    std::vector<absl::string_view> secrets;
    if (secret_.size() >= kShortestSecret) secrets.emplace_back(secret_);
    if (absl::StrContains(email_, '@')) secrets.emplace_back(email_);
    finder_ = std::make_unique<const SecretFinder>(secrets);
  });
  return *finder_;
}

absl::StatusOr<std::shared_ptr<const Credential>> Credential::FromToken(Owner owner,
                                                                        absl::string_view token) {
  absl::StatusOr<std::string> clean = CleanSecret("API token", token);
  if (!clean.ok()) return clean.status();
  return std::shared_ptr<const Credential>(
      new Credential(owner, PartitionOf("token", *clean, ""), /*email=*/"", *clean,
                     {absl::StrCat("Authorization: Bearer ", *clean)}));
}

absl::StatusOr<std::shared_ptr<const Credential>> Credential::FromEmailAndKey(
    Owner owner, absl::string_view email, absl::string_view key) {
  absl::StatusOr<std::string> clean_email = CleanSecret("email", email);
  if (!clean_email.ok()) return clean_email.status();
  absl::StatusOr<std::string> clean_key = CleanSecret("API key", key);
  if (!clean_key.ok()) return clean_key.status();
  return std::shared_ptr<const Credential>(new Credential(
      owner, PartitionOf("key", *clean_email, *clean_key), *clean_email, *clean_key,
      {absl::StrCat("X-Auth-Email: ", *clean_email), absl::StrCat("X-Auth-Key: ", *clean_key)}));
}

}  // namespace pcap_gateway
