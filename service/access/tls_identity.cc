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
#include "absl/strings/string_view.h"

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
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

absl::Status Unusable(absl::string_view why) { return absl::InvalidArgumentError(why); }

Bio Reading(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
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

// Loads them as a server does, which OpenSSL refuses for what is too weak.
absl::Status Load(const std::vector<Certificate>& chain, EVP_PKEY* key) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  const bool certificate_is_good =
      context != nullptr && SSL_CTX_use_certificate(context.get(), chain.front().get()) == 1;
  const bool fits = certificate_is_good && SSL_CTX_use_PrivateKey(context.get(), key) == 1 &&
                    SSL_CTX_check_private_key(context.get()) == 1;
  ERR_clear_error();
  if (!certificate_is_good) return Unusable("the certificate is too weak for OpenSSL");
  if (!fits) return Unusable("the private key is not the certificate's");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<absl::Time> CheckIdentity(const TlsIdentity& identity, absl::Time now) {
  const absl::StatusOr<std::vector<Certificate>> chain = CertificatesIn(identity.certificate_chain);
  if (!chain.ok()) return Unusable(absl::StrCat("the certificate file ", chain.status().message()));
  const absl::StatusOr<Key> key = KeyIn(identity.private_key);
  if (!key.ok()) return Unusable(absl::StrCat("the key file: ", key.status().message()));
  absl::Status loaded = Load(*chain, key->get());
  if (!loaded.ok()) return loaded;

  absl::Time ends = absl::InfiniteFuture();
  for (const Certificate& one : *chain) {
    const absl::Time from = TimeOf(X509_get0_notBefore(one.get()));
    const absl::Time until = TimeOf(X509_get0_notAfter(one.get()));
    if (now >= until) return Unusable(absl::StrCat("the certificate expired on ", Shown(until)));
    if (now < from) {
      return Unusable(absl::StrCat("the certificate is not valid before ", Shown(from)));
    }
    ends = std::min(ends, until);
  }
  return ends;
}

absl::Status CheckAuthorities(const std::string& pem) { return CertificatesIn(pem).status(); }

}  // namespace pcap_gateway
