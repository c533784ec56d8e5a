// MethodName: an RPC's path in its two parts.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_METHOD_NAME_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_METHOD_NAME_H_

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {

struct MethodName {
  absl::string_view service;
  absl::string_view method;
};

// "/pcap.v1.PcapService/GetPcap" is service "pcap.v1.PcapService" and method "GetPcap"; without a
// service, all of it is the method. The views are into `path`.
inline MethodName MethodNameOf(absl::string_view path) {
  absl::ConsumePrefix(&path, "/");
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return {.service = "", .method = path};
  return {.service = path.substr(0, slash), .method = path.substr(slash + 1)};
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_METHOD_NAME_H_
