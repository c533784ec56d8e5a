#include "service/rpc/request_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

google::protobuf::Duration Duration(int64_t seconds, int32_t nanos) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

TEST(RequestFields, GoodFieldsHaveNoError) {
  RequestFields fields;
  EXPECT_EQ(fields.ReadId("pcap_id", NumberedId(7).ToString()), NumberedId(7));
  EXPECT_EQ(fields.ReadIdOr("account_id", NumberedId(8).ToString(), NumberedId(9)), NumberedId(8));
  EXPECT_EQ(fields.ReadIdOr("account_id", "", NumberedId(9)), NumberedId(9));
  const auto second_and_a_half = Duration(1, 500'000'000);
  EXPECT_EQ(fields.ReadMaxAge("max_age", &second_and_a_half), absl::Milliseconds(1500));
  EXPECT_EQ(fields.ReadMaxAge("max_age", nullptr), absl::InfiniteDuration());
  EXPECT_FALSE(std::move(fields).error().has_value());
}

TEST(RequestFields, AnIdIsExactlyThirtyTwoLowerCaseHexDigits) {
  const std::string good(32, 'a');
  for (const std::string& bad :
       {std::string(), std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'),
        std::string(32, 'g'), "../" + std::string(29, 'a'), "%2f" + std::string(29, 'a'),
        std::string(31, 'a') + '\0', std::string(31, 'a') + "?", " " + std::string(31, 'a'),
        std::string("\xd9\xa1", 2) + std::string(30, 'a')}) {
    RequestFields fields;
    fields.ReadId("pcap_id", bad);
    const std::optional<Error> error = std::move(fields).error();
    ASSERT_TRUE(error.has_value()) << bad;
    EXPECT_EQ(error->code, absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(error->reason, Reason::kInvalidRequest);
    ASSERT_EQ(error->field_violations.size(), 1u);
    EXPECT_EQ(error->field_violations[0].field, "pcap_id");
    if (!bad.empty()) {
      EXPECT_THAT(error->message, Not(HasSubstr(bad)));
    }
  }
}

TEST(RequestFields, AnEmptyAccountNeedsADefault) {
  RequestFields fields;
  fields.ReadIdOr("account_id", "", std::nullopt);
  EXPECT_THAT(std::move(fields).error()->message, HasSubstr("--default-account-id"));
}

TEST(RequestFields, MaxAgeIsAValidDurationOfZeroOrMore) {
  for (const auto& bad :
       {Duration(-1, 0), Duration(0, -1), Duration(1, 1'000'000'000), Duration(1, -1),
        Duration(315'576'000'001, 0), Duration(std::numeric_limits<int64_t>::min(), 0)}) {
    RequestFields fields;
    fields.ReadMaxAge("max_age", &bad);
    EXPECT_TRUE(std::move(fields).error().has_value()) << bad.ShortDebugString();
  }
}

TEST(RequestFields, AllViolationsAreToldAtOnce) {
  RequestFields fields;
  const auto negative = Duration(-1, 0);
  fields.ReadIdOr("account_id", "x", std::nullopt);
  fields.ReadId("pcap_id", "y");
  fields.ReadMaxAge("max_age", &negative);
  EXPECT_EQ(std::move(fields).error()->field_violations.size(), 3u);
}

}  // namespace
}  // namespace pcap_gateway
