#include "service/rpc/grpc_version.h"

#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/version_info.h>

#include <utility>

// 1.51 comes with a protobuf that has a log of its own; with 1.83 both log through Abseil.
#if GRPC_CPP_VERSION_MINOR < 66
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#else
#include <unistd.h>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "absl/status/status.h"
#endif

namespace pcap_gateway {

using grpc::experimental::TlsServerCredentialsOptions;

#if GRPC_CPP_VERSION_MINOR < 66

void QuietGrpc() {
  gpr_set_log_function([](gpr_log_func_args*) {});
  google::protobuf::SetLogHandler(nullptr);
}

class ConnectionIntake::Way {
 public:
  Way(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials)
      : acceptor_(builder.experimental().AddExternalConnectionAcceptor(
            grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
            std::move(credentials))) {}

  void Take(int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.fd = connection;
    acceptor_->HandleNewConnection(&parameters);
  }

 private:
  const std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
};

namespace {

TlsServerCredentialsOptions OptionsWith(
    const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider) {
  TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  return options;
}

void WatchAuthorities(
    TlsServerCredentialsOptions& options,
    const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& /*provider*/) {
  options.watch_root_certs();
}

}  // namespace

#else

void QuietGrpc() { absl::SetMinLogLevel(absl::LogSeverityAtLeast::kFatal); }

// The acceptor of 1.51 is there, and answers no call.
class ConnectionIntake::Way {
 public:
  Way(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials) {
    builder.experimental().AddPassiveListener(std::move(credentials), listener_);
  }

  void Take(int connection) {
    // Of its errors this one alone comes before the descriptor is gRPC's.
    if (absl::IsUnimplemented(listener_->AcceptConnectedFd(connection))) close(connection);
  }

 private:
  std::unique_ptr<grpc::experimental::PassiveListener> listener_;
};

namespace {

TlsServerCredentialsOptions OptionsWith(
    const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider) {
  // Fails where there is no provider, and nowhere else.
  return *TlsServerCredentialsOptions::Create(provider);
}

void WatchAuthorities(
    TlsServerCredentialsOptions& options,
    const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider) {
  options.set_root_certificate_provider(provider);
}

}  // namespace

#endif

ConnectionIntake::ConnectionIntake(grpc::ServerBuilder& builder,
                                   std::shared_ptr<grpc::ServerCredentials> credentials)
    : way_(std::make_unique<Way>(builder, std::move(credentials))) {}

ConnectionIntake::~ConnectionIntake() = default;

void ConnectionIntake::Take(int connection) { way_->Take(connection); }

std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(
    const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider,
    bool callers_show_certificates) {
  TlsServerCredentialsOptions options = OptionsWith(provider);
  if (callers_show_certificates) {
    WatchAuthorities(options, provider);
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  } else {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace pcap_gateway
