// A certificate that vouches for itself, made on the spot, so that no key lies in the repository.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_SELF_SIGNED_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_SELF_SIGNED_H_

#include <string>

#include "absl/time/time.h"

namespace pcap_gateway {

struct SelfSigned {
  enum class Key { kP256, kWeakRsa };  // weak: OpenSSL refuses it

  // For `host`, valid from `begin` to `end`, from now on.
  explicit SelfSigned(const std::string& host, absl::Duration begin = absl::Minutes(-1),
                      absl::Duration end = absl::Hours(1), Key kind = Key::kP256);

  std::string certificate;  // PEM
  std::string private_key;  // PEM
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_SELF_SIGNED_H_
