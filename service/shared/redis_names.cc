#include "service/shared/redis_names.h"

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMacBytes = 16;

}  // namespace

std::string RedisMac(const Credential& credential, absl::string_view purpose,
                     absl::string_view text) {
  const std::array<uint8_t, 32> mac =
      credential.Mac(absl::StrCat("pcap-gateway v1 ", purpose, "\n", text));
  return std::string(reinterpret_cast<const char*>(mac.data()), kMacBytes);
}

std::string RedisName(const Credential& credential, absl::string_view what) {
  const Partition& partition = credential.partition();
  const absl::string_view whose(reinterpret_cast<const char*>(partition.data()), partition.size());
  return absl::StrCat(
      kRedisPrefix, "{", absl::BytesToHexString(RedisMac(credential, "slot", whose)),
      "}:", absl::BytesToHexString(RedisMac(credential, "name", absl::StrCat(whose, "\n", what))));
}

std::string RedisNameForAll(absl::string_view what) {
  const std::string text = absl::StrCat("pcap-gateway v1 name for all\n", what);
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
  return absl::StrCat(kRedisPrefix, "{",
                      absl::BytesToHexString(absl::string_view(
                          reinterpret_cast<const char*>(digest.data()), kMacBytes)),
                      "}");
}

bool SameMac(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

std::string RandomName() {
  std::random_device random;
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad8), absl::Hex(random(), absl::kZeroPad8));
}

}  // namespace pcap_gateway
