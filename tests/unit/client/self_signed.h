// A certificate that vouches for itself, made on the spot, so that no key lies in the repository.
#ifndef PCAP_GATEWAY_TESTS_UNIT_CLIENT_SELF_SIGNED_H_
#define PCAP_GATEWAY_TESTS_UNIT_CLIENT_SELF_SIGNED_H_

#include <string>

namespace pcap_client {

struct SelfSigned {
  // For `host`, valid from now on for an hour.
  explicit SelfSigned(const std::string& host);

  std::string certificate;  // PEM
  std::string private_key;  // PEM
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_TESTS_UNIT_CLIENT_SELF_SIGNED_H_
