#include "service/tracing/span_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

TEST(SpanTexts, AUrlHasAPlace) {
  const struct {
    const char* url;
    Place place;
  } rows[] = {
      {"https://api.cloudflare.com/client/v4/accounts", {"api.cloudflare.com", 443}},
      {"http://localhost", {"localhost", 80}},
      {"HTTP://localhost/", {"localhost", 80}},
      {"http://127.0.0.1:8080/client/v4?a=b:1", {"127.0.0.1", 8080}},
      {"https://[2001:db8::1]:8443/x", {"2001:db8::1", 8443}},
      {"https://[2001:db8::1]/x", {"2001:db8::1", 443}},
      {"https://user:secret@host:1/x", {"host", 1}},
      {"https://host:port/", {}},
      {"https://[::1/", {}},
      {"nonsense", {}},
      {"", {}},
  };
  for (const auto& [url, place] : rows) {
    EXPECT_EQ(PlaceOfUrl(url).host, place.host) << url;
    EXPECT_EQ(PlaceOfUrl(url).port, place.port) << url;
  }
}

TEST(SpanTexts, APeerHasAPlace) {
  EXPECT_EQ(PlaceOfPeer("ipv4:127.0.0.1:40112"), (Place{"127.0.0.1", 40112}));
  EXPECT_EQ(PlaceOfPeer("ipv6:%5B::1%5D:40112"), (Place{"::1", 40112}));
  EXPECT_EQ(PlaceOfPeer("ipv6:[fe80::1%25eth0]:1"), (Place{"fe80::1%eth0", 1}));
  for (const char* peer : {"unix:/run/gateway", "unix:", "", "ipv4:", "ipv4:host:x"}) {
    EXPECT_EQ(PlaceOfPeer(peer), Place()) << peer;
  }
}

TEST(SpanTexts, AUrlLosesWhatMayBeSecret) {
  EXPECT_EQ(UrlForSpans("https://user:canary@host:1/a/b?token=canary#canary"),
            "https://host:1/a/b");
  EXPECT_EQ(UrlForSpans("https://a@canary@host"), "https://host");
  EXPECT_EQ(UrlForSpans("https://host?user:canary@x"), "https://host");
  EXPECT_EQ(UrlForSpans("https://host/a@b"), "https://host/a@b");
  EXPECT_EQ(UrlForSpans("canary"), "");
}

}  // namespace
}  // namespace pcap_gateway
