#include "service/tracing/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

TEST(Sampling, HasTheNamesOfOpenTelemetry) {
  const struct {
    const char* name;
    Sampling sampling;
    bool takes_share;
  } rows[] = {
      {"", {.by_parent = true, .share = 1}, false},
      {"always_on", {.by_parent = false, .share = 1}, false},
      {"always_off", {.by_parent = false, .share = 0}, false},
      {"traceidratio", {.by_parent = false, .share = 1}, true},
      {"parentbased_always_on", {.by_parent = true, .share = 1}, false},
      {"parentbased_always_off", {.by_parent = true, .share = 0}, false},
      {"parentbased_traceidratio", {.by_parent = true, .share = 1}, true},
  };
  for (const auto& [name, sampling, takes_share] : rows) {
    const auto read = SamplingFrom(name);
    ASSERT_TRUE(read.ok()) << name;
    EXPECT_EQ(*read, sampling) << name;
    EXPECT_EQ(TakesShare(name), takes_share) << name;
  }
}

TEST(Sampling, IsNothingElse) {
  for (const char* name : {"xray", "jaeger_remote", "Always_On", "parentbased_", "parentbased",
                           "parentbased_parentbased_always_on", " always_on"}) {
    EXPECT_FALSE(SamplingFrom(name).ok()) << name;
  }
}

}  // namespace
}  // namespace pcap_gateway
