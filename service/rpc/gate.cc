#include "service/rpc/gate.h"

#include <grpc/grpc_security.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/access/certificate_validity.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostNameBytes = 256;

std::vector<std::string> ValuesOf(const grpc::AuthContext& peer, const char* property) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : peer.FindPropertyValues(property)) {
    values.emplace_back(value.data(), value.size());
  }
  return values;
}

}  // namespace

Principals PrincipalsOf(const grpc::ServerContextBase& context) {
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  Principals principals{.uris = ValuesOf(*peer, GRPC_PEER_URI_PROPERTY_NAME),
                        .dns_names = ValuesOf(*peer, GRPC_PEER_DNS_PROPERTY_NAME)};
  const std::vector<std::string> subjects = ValuesOf(*peer, GRPC_X509_SUBJECT_PROPERTY_NAME);
  if (!subjects.empty()) principals.subject = subjects.front();
  return principals;
}

std::optional<Error> CheckCertificate(grpc::ServerContext& context) {
  // The C++ API would allocate an object, a list and a name for each look.
  grpc_auth_context* const peer = grpc_call_auth_context(context.c_call());
  if (peer == nullptr) return std::nullopt;
  const int64_t now = time(nullptr);  // what a certificate's dates are about
  bool holds = true;
  for (const char* const property :
       {GRPC_X509_PEM_CERT_PROPERTY_NAME, GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME}) {
    grpc_auth_property_iterator values = grpc_auth_context_find_properties_by_name(peer, property);
    while (const grpc_auth_property* const value = grpc_auth_property_iterator_next(&values)) {
      const absl::string_view pem(value->value, value->value_length);
      // A resumed session has no chain.
      if (!pem.empty()) holds = holds && CertificateHolds(pem, now);
    }
  }
  grpc_auth_context_release(peer);
  if (holds) return std::nullopt;
  return Error(
      absl::StatusCode::kUnauthenticated, Reason::kCertificateExpired,
      "the certificate of this connection is not valid any more, or not yet; connect again "
      "with one that is");
}

std::string CallerNameOf(std::string principal, const grpc::ServerContextBase& context) {
  std::string name = std::move(principal);
  if (name.empty()) {
    name = context.peer();
    // "ipv4:10.1.2.3:40112": the port differs from connection to connection.
    if (absl::StartsWith(name, "ip")) name.resize(std::min(name.rfind(':'), name.size()));
  }
  if (name.size() <= kMostNameBytes) return name;
  // A certificate's subject may be as long as it likes; what tells callers apart stands at its
  // ends.
  return absl::StrCat(name.substr(0, kMostNameBytes / 2), "...",
                      name.substr(name.size() - kMostNameBytes / 2));
}

Gate::Gate(const Current<Policy>& policy, const grpc::ServerContextBase& context,
           absl::string_view path)
    : context_(context), path_(path), policy_(policy.Get()) {
  if (policy_ != nullptr) principals_ = PrincipalsOf(context);
}

std::optional<Error> Gate::CheckCall() const {
  if (policy_ == nullptr) return std::nullopt;
  // HTTP/2 has no capitals in them (RFC 9113, 8.2.1), but gRPC lets them through, and no rule would
  // see `X-Job` where it looks for `x-job`.
  for (const auto& [key, value] : context_.client_metadata()) {
    if (std::any_of(key.begin(), key.end(), absl::ascii_isupper)) {
      return Error(absl::StatusCode::kPermissionDenied, Reason::kCallerNotPermitted,
                   "a metadata key has capitals, which HTTP/2 does not permit");
    }
  }
  const auto header = [this](absl::string_view key) {
    const auto range =
        context_.client_metadata().equal_range(grpc::string_ref(key.data(), key.size()));
    std::vector<absl::string_view> values;
    for (auto entry = range.first; entry != range.second; ++entry) {
      values.emplace_back(entry->second.data(), entry->second.size());
    }
    return values;
  };
  if (policy_->Permits({.principals = principals_, .path = path_, .header = header})) {
    return std::nullopt;
  }
  return Error(absl::StatusCode::kPermissionDenied, Reason::kCallerNotPermitted,
               "the gateway's policy does not permit this call");
}

std::optional<Error> Gate::CheckAccount(const Id& account) const {
  if (policy_ == nullptr || policy_->MayAsk(principals_, account)) return std::nullopt;
  return Error(absl::StatusCode::kPermissionDenied, Reason::kAccountNotPermitted,
               "the gateway's policy does not permit this caller this account");
}

}  // namespace pcap_gateway
