#include "service/access/certificate_validity.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/hash/hash.h"

namespace pcap_gateway {
namespace {

constexpr CertificateValidity kNever{.from = std::numeric_limits<int64_t>::max(), .until = 0};

// Of a power of two, so that the slot is cheap to find.
constexpr size_t kSlots = 64;
// A signature stands at the end, and differs from certificate to certificate.
constexpr size_t kTellingBytes = 128;

struct Remembered {
  std::string pem;
  CertificateValidity validity = kNever;
};

std::optional<int64_t> UnixTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return timegm(&parts);
}

}  // namespace

CertificateValidity ValidityOf(absl::string_view pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  CertificateValidity all{.from = 0, .until = std::numeric_limits<int64_t>::max()};
  int count = 0;
  while (true) {
    const std::unique_ptr<X509, decltype(&X509_free)> one(
        PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), &X509_free);
    if (one == nullptr) break;
    const std::optional<int64_t> from = UnixTime(X509_get0_notBefore(one.get()));
    const std::optional<int64_t> until = UnixTime(X509_get0_notAfter(one.get()));
    if (!from.has_value() || !until.has_value()) return kNever;
    all.from = std::max(all.from, *from);
    all.until = std::min(all.until, *until);
    ++count;
  }
  // The end of the text is an error to OpenSSL, which would be found by whoever looks next.
  const unsigned long error = ERR_peek_last_error();  // NOLINT(google-runtime-int): OpenSSL's
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return count > 0 && at_end ? all : kNever;
}

bool CertificateHolds(absl::string_view pem, int64_t now) {
  thread_local std::array<Remembered, kSlots> remembered;
  const absl::string_view telling = pem.substr(pem.size() - std::min(pem.size(), kTellingBytes));
  Remembered& slot = remembered[absl::HashOf(telling) % kSlots];
  if (slot.pem != pem || pem.empty()) {
    slot.pem = std::string(pem);
    slot.validity = ValidityOf(pem);
  }
  return slot.validity.from <= now && now <= slot.validity.until;
}

}  // namespace pcap_gateway
