#include "service/access/tls_identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "service/base/text_file.h"

namespace pcap_gateway {
namespace {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

absl::Status Unusable(absl::string_view why) { return absl::InvalidArgumentError(why); }

Bio Reading(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// A byte order mark hides the line that it stands before, in the middle of files put together, too.
std::string WithoutMarks(const std::string& pem) {
  return absl::StrReplaceAll(pem, {{kByteOrderMark, ""}});
}

// The PEM text's certificates, in its order. An error where there is none, or one is damaged.
absl::StatusOr<std::vector<Certificate>> CertificatesIn(const std::string& pem) {
  std::vector<Certificate> certificates;
  const Bio bio = Reading(pem);
  ERR_clear_error();
  while (X509* const one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(one);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return Unusable("holds a certificate that is damaged");
  if (certificates.empty()) return Unusable("holds no certificate in PEM form");
  return certificates;
}

// What OpenSSL calls for a key's password: there is none, and it was wanted.
int NotePassword(char*, int, int, void* wanted) {
  *static_cast<bool*>(wanted) = true;
  return -1;
}

absl::StatusOr<Key> KeyIn(const std::string& pem) {
  bool encrypted = false;
  const Bio bio = Reading(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NotePassword, &encrypted));
  ERR_clear_error();
  if (key != nullptr) return key;
  return Unusable(encrypted ? "the private key is encrypted; it has to be in the clear"
                            : "holds no private key in PEM form");
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return absl::FromTM(parts, absl::UTCTimeZone());
}

std::string Shown(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// `pem`, as gRPC's server reads it: key, leaf and the rest of the chain from one text.
absl::Status Load(SSL_CTX* context, const std::string& pem) {
  const Bio of_key = Reading(pem);
  const Bio of_chain = Reading(pem);
  const Key key(PEM_read_bio_PrivateKey(of_key.get(), nullptr, nullptr, nullptr));
  const Certificate leaf(PEM_read_bio_X509_AUX(of_chain.get(), nullptr, nullptr, nullptr));
  if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return Unusable("the certificate is too weak for OpenSSL");
  }
  if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return Unusable("the private key is not the certificate's");
  }
  while (X509* const one = PEM_read_bio_X509(of_chain.get(), nullptr, nullptr, nullptr)) {
    Certificate issuer(one);
    if (SSL_CTX_add_extra_chain_cert(context, one) != 1) break;
    [[maybe_unused]] X509* const its = issuer.release();  // the context's now
  }
  return absl::OkStatus();
}

// OpenSSL's words for the last error; "" where there is none.
std::string LastReason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "" : reason;
}

// Serves it once, to a client of our own that trusts everybody: some of what OpenSSL refuses, it
// refuses only then.
absl::Status Rehearse(const std::string& pem) {
  const Context of_server(SSL_CTX_new(TLS_server_method()));
  const Context of_client(SSL_CTX_new(TLS_client_method()));
  if (of_server == nullptr || of_client == nullptr) {
    return absl::ResourceExhaustedError("no memory is left to look at it");
  }
  SSL_CTX_set_min_proto_version(of_server.get(), TLS1_2_VERSION);  // gRPC's
  absl::Status loaded = Load(of_server.get(), pem);
  if (!loaded.ok()) return loaded;
  const Session server(SSL_new(of_server.get()));
  const Session client(SSL_new(of_client.get()));
  BIO* servers = nullptr;
  BIO* clients = nullptr;
  if (server == nullptr || client == nullptr || BIO_new_bio_pair(&servers, 0, &clients, 0) != 1) {
    return absl::ResourceExhaustedError("no memory is left to look at it");
  }
  SSL_set_bio(server.get(), servers, servers);
  SSL_set_bio(client.get(), clients, clients);
  SSL_set_accept_state(server.get());
  SSL_set_connect_state(client.get());
  // Far more turns than a handshake takes.
  for (int turn = 0; turn < 1000 && SSL_is_init_finished(server.get()) == 0; ++turn) {
    for (SSL* const side : {client.get(), server.get()}) {
      ERR_clear_error();
      const int result = SSL_do_handshake(side);
      const int error = SSL_get_error(side, result);
      if (result == 1 || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) continue;
      return Unusable(absl::StrCat("no TLS handshake succeeds with the certificate and its chain: ",
                                   LastReason()));
    }
  }
  if (SSL_is_init_finished(server.get()) == 1) return absl::OkStatus();
  return Unusable("no TLS handshake succeeds with the certificate and its chain");
}

std::string Written(const Bio& bio) {
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

// Without its end where memory is short; the rehearsal finds it out.
std::string PemOf(EVP_PKEY* key, const std::vector<Certificate>& certificates) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr) return "";
  if (key != nullptr) {
    PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  }
  for (const Certificate& one : certificates) PEM_write_bio_X509(bio.get(), one.get());
  return Written(bio);
}

}  // namespace

absl::StatusOr<CheckedIdentity> CheckIdentity(const TlsIdentity& identity, absl::Time now) {
  const absl::StatusOr<std::vector<Certificate>> chain =
      CertificatesIn(WithoutMarks(identity.certificate_chain));
  if (!chain.ok()) return Unusable(absl::StrCat("the certificate file ", chain.status().message()));
  const absl::StatusOr<Key> key = KeyIn(WithoutMarks(identity.private_key));
  if (!key.ok()) return Unusable(absl::StrCat("the key file: ", key.status().message()));
  CheckedIdentity checked{.pem = PemOf(key->get(), *chain), .not_after = absl::InfiniteFuture()};
  absl::Status rehearsed = Rehearse(checked.pem);
  ERR_clear_error();
  if (!rehearsed.ok()) return rehearsed;

  for (const Certificate& one : *chain) {
    const absl::Time from = TimeOf(X509_get0_notBefore(one.get()));
    const absl::Time until = TimeOf(X509_get0_notAfter(one.get()));
    if (now >= until) return Unusable(absl::StrCat("the certificate expired on ", Shown(until)));
    if (now < from) {
      return Unusable(absl::StrCat("the certificate is not valid before ", Shown(from)));
    }
    checked.not_after = std::min(checked.not_after, until);
  }
  return checked;
}

absl::StatusOr<std::string> CheckAuthorities(const std::string& pem) {
  const absl::StatusOr<std::vector<Certificate>> all = CertificatesIn(WithoutMarks(pem));
  if (!all.ok()) return all.status();
  return PemOf(nullptr, *all);
}

}  // namespace pcap_gateway
