// What differs between the versions of gRPC that this builds with: 1.51 (Debian 12 and 13) and 1.83
// (Debian's experimental). Beside goaway.cc only grpc_version.cc asks which it is;
// tests/unit/rooms_test.py holds that.
#ifndef PCAP_GATEWAY_SERVICE_RPC_GRPC_VERSION_H_
#define PCAP_GATEWAY_SERVICE_RPC_GRPC_VERSION_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/server_builder.h>

#include <memory>

namespace pcap_gateway {

// Keeps gRPC and protobuf from writing to stderr what they also return, for the whole process. To
// be called before their first use.
void QuietGrpc();

// Gives a grpc::Server connections that somebody else accepted.
class ConnectionIntake {
 public:
  // Before the server is built. May end once the server was told to shut down.
  ConnectionIntake(grpc::ServerBuilder& builder,
                   std::shared_ptr<grpc::ServerCredentials> credentials);
  ConnectionIntake(const ConnectionIntake&) = delete;
  ConnectionIntake& operator=(const ConnectionIntake&) = delete;
  ~ConnectionIntake();

  // The descriptor of a connected socket, which is gRPC's from then on: it closes it, also where it
  // cannot serve it. Once the server has been built. From any thread.
  void Take(int connection);

 private:
  class Way;
  const std::unique_ptr<Way> way_;
};

// For a server whose key, certificate and authorities (if any) the provider has.
std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(
    const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider,
    bool callers_show_certificates);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_GRPC_VERSION_H_
