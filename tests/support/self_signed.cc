#include "tests/support/self_signed.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

namespace pcap_gateway {
namespace {

template <auto free>
struct Free {
  void operator()(auto* held) const { free(held); }
};

using PrivateKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free_all>>;

std::string TextOf(const Memory& memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return std::string(bytes, static_cast<size_t>(size));
}

}  // namespace

SelfSigned::SelfSigned(const std::string& host, absl::Duration begin, absl::Duration end,
                       Key kind) {
  const PrivateKey key(kind == Key::kP256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(1024));
  const Certificate x509(X509_new());
  X509_set_version(x509.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), absl::ToInt64Seconds(begin));
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), absl::ToInt64Seconds(end));
  X509_set_pubkey(x509.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(x509.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(host.c_str()), -1, -1, 0);
  X509_set_issuer_name(x509.get(), name);
  const Extension names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + host).c_str()));
  X509_add_ext(x509.get(), names.get(), -1);
  X509_sign(x509.get(), key.get(), EVP_sha256());

  const Memory certificate_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_text.get(), x509.get());
  certificate = TextOf(certificate_text);
  const Memory key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  private_key = TextOf(key_text);
}

}  // namespace pcap_gateway
