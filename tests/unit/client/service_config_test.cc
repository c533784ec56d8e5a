#include "client/service_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pcap_client {
namespace {

using testing::HasSubstr;

TEST(ServiceConfigJson, IsWhatGrpcExpects) {
  EXPECT_EQ(ServiceConfigJson({}),
            R"({"methodConfig":[{"name":[{"service":"pcap.v1.PcapService","method":"GetPcap"},)"
            R"({"service":"pcap.v1.PcapService","method":"ListPcaps"},)"
            R"({"service":"pcap.v1.PcapService","method":"DownloadPcap"},)"
            R"({"service":"pcap.v1.PcapOwnershipService","method":"ListOwnerships"}],)"
            R"("retryPolicy":{"maxAttempts":4,"initialBackoff":"0.200000000s",)"
            R"("maxBackoff":"2.000000000s","backoffMultiplier":2,)"
            R"("retryableStatusCodes":["UNAVAILABLE"]}}],)"
            R"("retryThrottling":{"maxTokens":10,"tokenRatio":0.1}})");
}

TEST(ServiceConfigJson, OneAttemptIsNoPolicyAtAll) {
  EXPECT_EQ(ServiceConfigJson({.max_attempts = 1}), "{}");
}

TEST(ValidateRetryPolicy, TakesTheWholeDocumentedRange) {
  EXPECT_TRUE(Validate(RetryPolicy{}).ok());
  EXPECT_TRUE(Validate({.max_attempts = 1}).ok());
  EXPECT_TRUE(Validate({.max_attempts = 5, .backoff_multiplier = 1}).ok());
  EXPECT_TRUE(
      Validate({.initial_backoff = absl::Milliseconds(3), .max_backoff = absl::Milliseconds(3)})
          .ok());
}

struct BadPolicy {
  RetryPolicy policy;
  const char* member;
};

TEST(ValidateRetryPolicy, NamesTheMemberThatCannotWork) {
  const double infinity = std::numeric_limits<double>::infinity();
  const BadPolicy bad_policies[] = {
      {{.max_attempts = 0}, "retry.max_attempts"},
      {{.max_attempts = 6}, "retry.max_attempts"},
      {{.initial_backoff = absl::ZeroDuration()}, "retry.initial_backoff"},
      {{.initial_backoff = absl::Microseconds(2999)}, "retry.initial_backoff is 2.999ms"},
      {{.initial_backoff = absl::Hours(2), .max_backoff = absl::Hours(2)}, "retry.initial_backoff"},
      {{.initial_backoff = absl::Seconds(3)}, "retry.max_backoff"},
      {{.max_backoff = absl::InfiniteDuration()}, "retry.max_backoff"},
      {{.backoff_multiplier = 0.5}, "retry.backoff_multiplier"},
      {{.backoff_multiplier = infinity}, "retry.backoff_multiplier"},
      {{.backoff_multiplier = std::nan("")}, "retry.backoff_multiplier"}};
  for (const BadPolicy& bad : bad_policies) {
    const absl::Status status = Validate(bad.policy);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.member));
  }
}

}  // namespace
}  // namespace pcap_client
