// Gate: asks the policy whether a call may be made.
//
// A call that came in is looked at before its request is, and again when its account is known.
#ifndef PCAP_GATEWAY_SERVICE_RPC_GATE_H_
#define PCAP_GATEWAY_SERVICE_RPC_GATE_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "service/access/policy.h"
#include "service/base/current.h"
#include "service/source/error.h"
#include "service/source/id.h"

namespace grpc {
class ServerContext;
class ServerContextBase;
}  // namespace grpc

namespace pcap_gateway {

// Whom the connection's certificate names. gRPC fills these in from certificates alone that it has
// verified.
Principals PrincipalsOf(const grpc::ServerContextBase& context);

// CERTIFICATE_EXPIRED where the certificates that the caller's connection was made with are not
// valid now; nullopt where they are, or it showed none. Allocates nothing for a certificate that
// this thread has seen lately.
std::optional<Error> CheckCertificate(grpc::ServerContext& context);

// Who the caller is to those who share things out among callers: the `principal` that its
// certificate names, else, where that is empty, its address without the port, "ipv4:10.1.2.3".
std::string CallerNameOf(std::string principal, const grpc::ServerContextBase& context);

// One look at the policy as it was when the object was made: a policy that changes in between must
// not let a call through by halves.
class Gate {
 public:
  // All outlive the object. No policy: everything is permitted, and nothing is looked at.
  Gate(const Current<Policy>& policy, const grpc::ServerContextBase& context,
       absl::string_view path);

  // PERMISSION_DENIED, which tells nothing of what there is; nullopt: it may be made.
  std::optional<Error> CheckCall() const;
  std::optional<Error> CheckAccount(const Id& account) const;

 private:
  const grpc::ServerContextBase& context_;
  const absl::string_view path_;
  const std::shared_ptr<const Policy> policy_;
  Principals principals_;  // empty without a policy
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_GATE_H_
