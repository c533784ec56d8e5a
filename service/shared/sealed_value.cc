#include "service/shared/sealed_value.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "service/shared/redis_names.h"

namespace pcap_gateway {
namespace {

constexpr size_t kSealBytes = 16;

std::string Seal(char mark, absl::string_view body, absl::string_view name,
                 absl::string_view purpose, const Credential& credential) {
  return RedisMac(credential, purpose, absl::StrCat(name, "\n", std::string(1, mark), body));
}

}  // namespace

std::string SealedValue(char mark, absl::string_view body, absl::string_view name,
                        absl::string_view purpose, const Credential& credential) {
  return absl::StrCat(std::string(1, mark), Seal(mark, body, name, purpose, credential), body);
}

std::optional<absl::string_view> OpenedValue(absl::string_view value, absl::string_view name,
                                             absl::string_view purpose,
                                             const Credential& credential) {
  if (value.size() < 1 + kSealBytes) return std::nullopt;
  const absl::string_view body = value.substr(1 + kSealBytes);
  if (!SameMac(value.substr(1, kSealBytes), Seal(value[0], body, name, purpose, credential))) {
    return std::nullopt;
  }
  return body;
}

}  // namespace pcap_gateway
