#include "service/access/tls_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/time/clock.h"
#include "tests/support/self_signed.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string ObjectionTo(const std::string& certificates, const std::string& key) {
  const auto checked =
      CheckIdentity({.certificate_chain = certificates, .private_key = key}, absl::Now());
  return checked.ok() ? "" : std::string(checked.status().message());
}

TEST(CheckIdentity, TellsWhenTheFirstOfTheChainExpires) {
  const SelfSigned leaf("a", absl::Minutes(-1), absl::Hours(2));
  const SelfSigned issuer("b", absl::Minutes(-1), absl::Hours(1));
  const absl::Time now = absl::Now();
  const auto checked = CheckIdentity(
      {.certificate_chain = leaf.certificate + issuer.certificate, .private_key = leaf.private_key},
      now);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_LE(checked->not_after, now + absl::Hours(1));
  EXPECT_GT(checked->not_after, now + absl::Minutes(59));
  EXPECT_EQ(checked->pem, leaf.private_key + leaf.certificate + issuer.certificate);
}

TEST(CheckIdentity, IgnoresTextAroundThePem) {
  const SelfSigned identity("a");
  EXPECT_EQ(ObjectionTo("subject=CN = a\n" + identity.certificate + "\n", identity.private_key),
            "");
}

TEST(CheckIdentity, LeavesOutWhatWouldHideAKeyOrACertificateFromGrpc) {
  const SelfSigned identity("a");
  const SelfSigned issuer("b");
  const std::string mark = "\xEF\xBB\xBF";
  const auto pem_of = [](const std::string& certificates, const std::string& key) {
    const auto checked =
        CheckIdentity({.certificate_chain = certificates, .private_key = key}, absl::Now());
    return checked.ok() ? checked->pem : std::string(checked.status().message());
  };
  const std::string clean = identity.private_key + identity.certificate + issuer.certificate;
  for (const std::string& between : {mark, "\n" + mark, "text\r\n" + mark, mark + mark}) {
    EXPECT_EQ(pem_of(between + identity.certificate + between + issuer.certificate,
                     between + identity.private_key),
              clean);
  }
  // A certificate beside the key is not the one to serve with.
  EXPECT_EQ(
      pem_of(identity.certificate + issuer.certificate, issuer.certificate + identity.private_key),
      clean);
}

TEST(CheckIdentity, RefusesWhatOpensslEndsNoHandshakeWith) {
  const SelfSigned good("a");
  const SelfSigned weak("b", absl::Minutes(-1), absl::Hours(1), SelfSigned::Key::kWeakRsa);
  EXPECT_THAT(ObjectionTo(weak.certificate, weak.private_key), HasSubstr("too weak"));
  // What OpenSSL takes, and refuses when it is to be sent.
  EXPECT_THAT(ObjectionTo(good.certificate + weak.certificate, good.private_key),
              HasSubstr("no TLS handshake succeeds with the certificate and its chain: "));
}

TEST(CheckIdentity, RefusesWhatNobodyCouldBeServedWith) {
  const SelfSigned good("a");
  const SelfSigned other("b");
  const SelfSigned expired("c", absl::Hours(-2), absl::Minutes(-1));
  const SelfSigned early("d", absl::Hours(1), absl::Hours(2));
  EXPECT_THAT(ObjectionTo("", good.private_key), HasSubstr("holds no certificate"));
  EXPECT_THAT(ObjectionTo(good.certificate, ""), HasSubstr("holds no private key"));
  EXPECT_THAT(ObjectionTo(good.certificate, other.private_key), HasSubstr("not the certificate's"));
  EXPECT_THAT(ObjectionTo(other.certificate + good.certificate, good.private_key),
              HasSubstr("not the certificate's"));
  EXPECT_THAT(ObjectionTo(expired.certificate, expired.private_key), HasSubstr("expired on 20"));
  EXPECT_THAT(ObjectionTo(early.certificate, early.private_key), HasSubstr("not valid before 20"));
  EXPECT_THAT(ObjectionTo(good.certificate + expired.certificate, good.private_key),
              HasSubstr("expired on 20"));
}

TEST(CheckIdentity, RefusesEveryHalfOfAFile) {
  const SelfSigned good("a");
  for (size_t size = 0; size + 1 < good.certificate.size(); size += 7) {
    EXPECT_NE(ObjectionTo(good.certificate.substr(0, size), good.private_key), "") << size;
  }
  for (size_t size = 0; size + 1 < good.private_key.size(); size += 7) {
    const std::string objection = ObjectionTo(good.certificate, good.private_key.substr(0, size));
    EXPECT_NE(objection, "") << size;
    EXPECT_THAT(objection, Not(HasSubstr(good.private_key.substr(30, 10))));
  }
  // A second one that is damaged does not hide behind the first.
  EXPECT_THAT(ObjectionTo(good.certificate + good.certificate.substr(0, 200), good.private_key),
              HasSubstr("damaged"));
}

TEST(CheckAuthorities, WantsCertificatesAndNothingHalf) {
  const SelfSigned one("a");
  const SelfSigned expired("c", absl::Hours(-2), absl::Minutes(-1));
  EXPECT_TRUE(CheckAuthorities(one.certificate).ok());
  EXPECT_TRUE(CheckAuthorities(one.certificate + expired.certificate).ok());
  EXPECT_EQ(
      *CheckAuthorities("\xEF\xBB\xBF" + one.certificate + "\n\xEF\xBB\xBF" + expired.certificate),
      one.certificate + expired.certificate);
  EXPECT_FALSE(CheckAuthorities("").ok());
  EXPECT_FALSE(CheckAuthorities(one.private_key).ok());
  EXPECT_FALSE(CheckAuthorities(one.certificate + one.certificate.substr(0, 100)).ok());
}

}  // namespace
}  // namespace pcap_gateway
