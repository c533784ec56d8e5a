#include "service/shared/redis_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#ifdef PCAP_GATEWAY_REDIS_TLS
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#endif

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostFileBytes = 16 << 20;

using Bytes = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

// OpenSSL's words for what it met last; empty: nothing.
std::string Reason() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? "" : reason;
}

absl::Status Unusable(absl::string_view file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", why));
}

// A FIFO would be waited for, and a device have no end: neither is read. (A byte order mark that an
// editor put first is skipped by OpenSSL.)
absl::StatusOr<std::string> ContentOfFile(const std::string& path) {
  std::error_code problem;
  const auto type = std::filesystem::status(path, problem).type();
  if (type == std::filesystem::file_type::none || type == std::filesystem::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", problem.message()));
  }
  if (type != std::filesystem::file_type::regular) return Unusable(path, "is not a regular file");
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  std::string content(kMostFileBytes + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.size() > kMostFileBytes) {
    return Unusable(path, absl::StrCat("holds more than ", kMostFileBytes, " bytes"));
  }
  return content;
}

Bytes BytesOf(const std::string& content) {
  return Bytes(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())), &BIO_free);
}

// An encrypted key asks nobody for its password.
int NoPassword(char*, int, int, void*) { return -1; }

// Calls `take` with each certificate, until one is refused.
template <typename Take>
absl::Status ForEachCertificate(const std::string& path, Take take) {
  const absl::StatusOr<std::string> content = ContentOfFile(path);
  if (!content.ok()) return content.status();
  const Bytes bytes = BytesOf(*content);
  size_t count = 0;
  while (true) {
    const Certificate certificate(PEM_read_bio_X509(bytes.get(), nullptr, &NoPassword, nullptr),
                                  &X509_free);
    if (certificate == nullptr) break;
    ++count;
    if (!take(certificate.get())) return Unusable(path, Reason());
  }
  // The end looks like a missing first line.
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = Reason();
  if (!ended) return Unusable(path, reason);
  if (count == 0) return Unusable(path, "holds no certificate in PEM form");
  return absl::OkStatus();
}

absl::Status Trust(SSL_CTX* context, const std::string& ca_file) {
  if (ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return absl::OkStatus();
    return absl::UnavailableError("the system's certificates cannot be read");
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  return ForEachCertificate(
      ca_file, [store](X509* authority) { return X509_STORE_add_cert(store, authority) == 1; });
}

absl::Status Show(SSL_CTX* context, const RedisTlsFiles& files) {
  bool first = true;  // ours, and then those that lead up to the authority
  absl::Status status = ForEachCertificate(files.cert_file, [&](X509* certificate) {
    return std::exchange(first, false) ? SSL_CTX_use_certificate(context, certificate) == 1
                                       : SSL_CTX_add1_chain_cert(context, certificate) == 1;
  });
  if (!status.ok()) return status;
  const absl::StatusOr<std::string> content = ContentOfFile(files.key_file);
  if (!content.ok()) return content.status();
  const Key key(PEM_read_bio_PrivateKey(BytesOf(*content).get(), nullptr, &NoPassword, nullptr),
                &EVP_PKEY_free);
  if (key == nullptr) {
    ERR_clear_error();
    return Unusable(files.key_file, "holds no private key in PEM form without a password");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) == 1) return absl::OkStatus();
  ERR_clear_error();
  return Unusable(files.key_file,
                  absl::StrCat("is not the key of the certificate in ", files.cert_file));
}

}  // namespace

absl::StatusOr<RedisTls::Context> RedisTls::Load(const RedisTlsFiles& files) {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (context == nullptr) return absl::ResourceExhaustedError("out of memory");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  absl::Status status = Trust(context.get(), files.ca_file);
  if (status.ok() && !files.cert_file.empty()) status = Show(context.get(), files);
  if (!status.ok()) return status;
  return context;
}

bool RedisTls::IsUp() const { return SSL_is_init_finished(session_) == 1; }

std::string RedisTls::WhyItFailed() const {
  const long verified = SSL_get_verify_result(session_);
  if (verified != X509_V_OK) {
    return absl::StrCat("its certificate is not trusted: ",
                        X509_verify_cert_error_string(verified));
  }
  const std::string reason = Reason();
  return reason.empty() ? "" : absl::StrCat("TLS fails: ", reason);
}

#ifdef PCAP_GATEWAY_REDIS_TLS

bool HasRedisTls() { return true; }

absl::StatusOr<RedisTls> RedisTls::Begin(redisContext& connection, const Context& context,
                                         const std::string& host) {
  ERR_clear_error();
  Session session(SSL_new(context.get()), &SSL_free);
  if (session == nullptr) return absl::ResourceExhaustedError("out of memory");
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), host.c_str()) != 1) {
    ERR_clear_error();  // a name
    if (SSL_set1_host(session.get(), host.c_str()) != 1 ||
        SSL_set_tlsext_host_name(session.get(), host.c_str()) != 1) {
      return absl::InvalidArgumentError("its name cannot stand in a certificate");
    }
  }
  if (redisInitiateSSL(&connection, session.get()) != REDIS_OK) {
    return absl::UnavailableError(connection.errstr);
  }
  return RedisTls(session.release());
}

#else

bool HasRedisTls() { return false; }

absl::StatusOr<RedisTls> RedisTls::Begin(redisContext&, const Context&, const std::string&) {
  return absl::UnimplementedError("this build has no TLS for Redis");
}

#endif

}  // namespace pcap_gateway
