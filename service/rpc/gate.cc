#include "service/rpc/gate.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

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

std::string CallerNameOf(const grpc::ServerContextBase& context) {
  std::string name = PrincipalsOf(context).Name();
  if (name.empty()) {
    name = context.peer();
    // "ipv4:10.1.2.3:40112": the port differs from connection to connection.
    if (absl::StartsWith(name, "ip")) name.resize(std::min(name.rfind(':'), name.size()));
  }
  if (name.size() <= kMostNameBytes) return name;
  // A certificate's subject may be as long as it likes; what tells callers apart stands at its ends.
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
  const auto header = [this](absl::string_view key) -> std::optional<std::string> {
    const auto range =
        context_.client_metadata().equal_range(grpc::string_ref(key.data(), key.size()));
    if (range.first == range.second) return std::nullopt;
    std::string joined;
    for (auto entry = range.first; entry != range.second; ++entry) {
      const absl::string_view value(entry->second.data(), entry->second.size());
      absl::StrAppend(&joined, joined.empty() ? "" : ",", value);
    }
    return joined;
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
