#include "service/rpc/server_credentials.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

namespace pcap_gateway {
namespace {

constexpr unsigned kSecondsBetweenReads = 1;

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ServerCredentialsFrom(const TlsPaths& paths) {
  if (paths.identity.empty()) return grpc::InsecureServerCredentials();
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          paths.identity, paths.identity, paths.authorities, kSecondsBetweenReads));
  options.watch_identity_key_cert_pairs();
  if (paths.authorities.empty()) {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  } else {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace pcap_gateway
