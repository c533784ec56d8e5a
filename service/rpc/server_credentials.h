// How the server proves who it is, and whom it lets connect.
#ifndef PCAP_GATEWAY_SERVICE_RPC_SERVER_CREDENTIALS_H_
#define PCAP_GATEWAY_SERVICE_RPC_SERVER_CREDENTIALS_H_

#include <memory>
#include <string>

namespace grpc {
class ServerCredentials;
}  // namespace grpc

namespace pcap_gateway {

// Paths to PEM files, which gRPC reads again within two seconds of a change. They have to be of
// use whenever they are read: gRPC does not keep what it had.
struct TlsPaths {
  std::string identity;     // the private key and the certificate with its chain; empty: no TLS
  std::string authorities;  // whose certificates callers must show; empty: they need show none
};

// TLS 1.2 or newer; or none at all.
std::shared_ptr<grpc::ServerCredentials> ServerCredentialsFrom(const TlsPaths& paths);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_SERVER_CREDENTIALS_H_
