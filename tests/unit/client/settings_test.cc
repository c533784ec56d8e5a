#include "client/pcapctl/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/self_signed.h"
#include "tests/unit/client/temporary_file.h"

namespace pcap_client {
namespace {

using pcap_gateway::SelfSigned;
using testing::HasSubstr;

TEST(FirstOf, TakesWhatTheFirstSaysAndElseTheSecond) {
  const Settings first{.address = "a:1", .timeout = "1s"};
  const Settings second{.address = "b:1", .account = "acc", .timeout = "2s"};
  const Settings both = FirstOf(first, second);
  EXPECT_EQ(both.address, "a:1");
  EXPECT_EQ(both.account, "acc");
  EXPECT_EQ(both.timeout, "1s");
}

// A certificate authority of the context beside a client certificate of the command line would be
// a connection that nobody described.
TEST(FirstOf, NeverMixesTlsSettings) {
  const Settings context{.tls_ca_file = "ca.pem", .tls_server_name = "other"};
  EXPECT_EQ(FirstOf({}, context).tls_ca_file, "ca.pem");
  const Settings mixed = FirstOf({.tls_server_name = "name"}, context);
  EXPECT_EQ(mixed.tls_server_name, "name");
  EXPECT_EQ(mixed.tls_ca_file, "");
  EXPECT_EQ(FirstOf({.tls = false}, context).tls_ca_file, "");
}

TEST(ClientOptionsFrom, IsPlaintextUnlessTlsIsSaid) {
  EXPECT_FALSE(ClientOptionsFrom({.address = "a:1"})->tls.has_value());
  EXPECT_FALSE(ClientOptionsFrom({.address = "a:1", .tls = false})->tls.has_value());
  EXPECT_TRUE(ClientOptionsFrom({.address = "a:1", .tls = true})->tls.has_value());
  EXPECT_EQ(ClientOptionsFrom({.address = "a:1", .tls_server_name = "n"})->tls->server_name, "n");
}

// `before`: what stands before the PEM blocks in the files.
void ExpectTheFilesOfTlsAreRead(const std::string& before) {
  const SelfSigned identity("localhost");
  const TemporaryFile certificate(before + identity.certificate);
  const TemporaryFile key(before + identity.private_key);
  const auto options = ClientOptionsFrom({.address = "a:1",
                                          .tls_ca_file = certificate.path(),
                                          .tls_cert_file = certificate.path(),
                                          .tls_key_file = key.path()});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->tls->root_certificates, identity.certificate);
  EXPECT_EQ(options->tls->certificate_chain, identity.certificate);
  EXPECT_EQ(options->tls->private_key, identity.private_key);
}

TEST(ClientOptionsFrom, ReadsTheFilesOfTls) { ExpectTheFilesOfTlsAreRead(""); }

TEST(ClientOptionsFrom, ReadsFilesThatBeginWithAByteOrderMark) {
  const std::string mark = "\xEF\xBB\xBF";
  ExpectTheFilesOfTlsAreRead(mark);
  const TemporaryFile token(mark + "abc\n");
  EXPECT_EQ(*TokenFrom(token.path()), "abc");
}

TEST(ClientOptionsFrom, NamesTheSettingThatCannotWork) {
  const SelfSigned identity("localhost");
  const TemporaryFile certificate(identity.certificate);
  const struct {
    Settings settings;
    const char* names;
  } cases[] = {
      {{.tls_ca_file = "/nowhere"}, "--tls-ca-file: cannot read /nowhere"},
      {{.tls_ca_file = "/dev/null"}, "--tls-ca-file: /dev/null holds no certificate"},
      {{.tls_cert_file = certificate.path()}, "--tls-cert-file: goes together"},
      {{.tls_key_file = certificate.path()}, "--tls-cert-file: goes together"},
      {{.tls_cert_file = certificate.path(), .tls_key_file = certificate.path()},
       "holds no private key"},
      {{.tls = false, .tls_server_name = "n"}, "--no-tls"},
      {{.timeout = "soon"}, "--timeout"},
  };
  for (const auto& [settings, names] : cases) {
    EXPECT_THAT(ClientOptionsFrom(settings).status().message(), HasSubstr(names));
  }
}

TEST(AdminAddressOf, IsWhatWasSaid) {
  EXPECT_EQ(AdminAddressOf({.address = "gateway:50051", .admin_address = "gateway:1"}),
            "gateway:1");
}

TEST(AdminAddressOf, OfAGatewayElsewhereIsNotKnown) {
  for (const char* const here :
       {"127.0.0.1:50051", "127.1.2.3:1", "localhost:50051", "[::1]:50051", "unix:/run/gateway"}) {
    EXPECT_EQ(AdminAddressOf({.address = here}), "127.0.0.1:9464") << here;
  }
  for (const char* const elsewhere :
       {"gateway:50051", "10.0.0.1:50051", "localhost.example:1", "dns:///localhost:50051"}) {
    EXPECT_EQ(AdminAddressOf({.address = elsewhere}), "") << elsewhere;
  }
}

}  // namespace
}  // namespace pcap_client
