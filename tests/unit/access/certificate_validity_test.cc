#include "service/access/certificate_validity.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/self_signed.h"

namespace pcap_gateway {
namespace {

int64_t Now() { return absl::ToUnixSeconds(absl::Now()); }

TEST(CertificateHolds, FromItsFirstSecondToItsLast) {
  const SelfSigned one("localhost", absl::Minutes(-1), absl::Hours(1));
  const CertificateValidity validity = ValidityOf(one.certificate);
  EXPECT_EQ(validity.until - validity.from, 3660);
  EXPECT_TRUE(CertificateHolds(one.certificate, Now()));
  EXPECT_TRUE(CertificateHolds(one.certificate, validity.from));
  EXPECT_TRUE(CertificateHolds(one.certificate, validity.until));
  EXPECT_FALSE(CertificateHolds(one.certificate, validity.from - 1));
  EXPECT_FALSE(CertificateHolds(one.certificate, validity.until + 1));
}

TEST(CertificateHolds, WhereAllOfAChainDo) {
  const SelfSigned good("localhost");
  const SelfSigned ended("localhost", absl::Hours(-2), absl::Hours(-1));
  EXPECT_TRUE(CertificateHolds(good.certificate + good.certificate, Now()));
  EXPECT_FALSE(CertificateHolds(good.certificate + ended.certificate, Now()));
  EXPECT_FALSE(CertificateHolds(ended.certificate + good.certificate, Now()));
}

TEST(CertificateHolds, NeverForWhatIsNone) {
  for (const std::string text : {"", "nobody", "-----BEGIN CERTIFICATE-----\nx\n"}) {
    EXPECT_FALSE(CertificateHolds(text, Now())) << text;
  }
}

// What is remembered of one is not taken for another's.
TEST(CertificateHolds, OfManyEachByItself) {
  std::vector<SelfSigned> all;
  for (int i = 0; i < 100; ++i) {
    all.emplace_back("localhost", absl::Hours(-2), absl::Hours(i % 2 == 0 ? 1 : -1));
  }
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(CertificateHolds(all[i].certificate, Now()), i % 2 == 0) << i;
    }
  }
}

}  // namespace
}  // namespace pcap_gateway
