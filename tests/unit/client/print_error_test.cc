#include "client/pcapctl/print_error.h"

#include <gtest/gtest.h>

namespace pcap_client {
namespace {

TEST(ErrorLines, TellEverythingThatIsKnown) {
  const CallError error{
      .code = absl::StatusCode::kResourceExhausted,
      .message = "Cloudflare's rate limit is used up",
      .reason = "RATE_LIMITED",
      .metadata = {{"cloudflareCode", "971"}, {"httpStatus", "429"}},
      .retry_after = absl::Seconds(90),
      .field_violations = {{"pcap_id", "has 31 characters"}, {"max_age", "is negative"}},
      .help_links = {{"", "https://a.example/"}, {"More", "https://b.example/"}},
      .request_id = "r-1",
      .cf_ray = "8f0-AMS"};
  EXPECT_EQ(ErrorLines(error),
            "pcapctl: RESOURCE_EXHAUSTED: Cloudflare's rate limit is used up\n"
            "  reason       RATE_LIMITED\n"
            "  detail       cloudflareCode=971\n"
            "  detail       httpStatus=429\n"
            "  retry after  1 min 30 s\n"
            "  field        pcap_id: has 31 characters\n"
            "  field        max_age: is negative\n"
            "  help         https://a.example/\n"
            "  help         More: https://b.example/\n"
            "  request id   r-1\n"
            "  cf-ray       8f0-AMS\n");
}

TEST(ErrorLines, AreOneLineWhenNothingElseIsKnown) {
  EXPECT_EQ(ErrorLines({.code = absl::StatusCode::kUnavailable, .message = "refused"}),
            "pcapctl: UNAVAILABLE: refused\n");
}

TEST(ErrorLines, DisarmWhatStrangersWrote) {
  EXPECT_EQ(ErrorLines({.code = absl::StatusCode::kInternal,
                        .message = "a\x1b[2J\nb",
                        .reason = "R\u009b",
                        .field_violations = {{"f\n", "\x07"}}}),
            "pcapctl: INTERNAL: a\\x1b[2J\\nb\n"
            "  reason  R\\u{9b}\n"
            "  field   f\\n: \\x07\n");
}

}  // namespace
}  // namespace pcap_client
