#include "service/rpc/server_credentials.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>

#include "service/rpc/grpc_version.h"

namespace pcap_gateway {
namespace {

constexpr unsigned kSecondsBetweenReads = 1;

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ServerCredentialsFrom(const TlsPaths& paths) {
  if (paths.identity.empty()) return grpc::InsecureServerCredentials();
  return TlsServerCredentials(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          paths.identity, paths.identity, paths.authorities, kSecondsBetweenReads),
      !paths.authorities.empty());
}

}  // namespace pcap_gateway
