#include "client/pcapctl/print_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pcap_client {
namespace {

// 2026-11-23T05:30:00Z
const absl::Time kNow = absl::FromUnixSeconds(1'795'411'800);

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using State = ServiceHealth::State;

constexpr char kReport[] = R"({
  "version": "1.4.0", "address": "0.0.0.0:50051", "serving": true, "uptime_seconds": 11525,
  "upstream": {"url": "https://api.example/v4", "circuit": "open", "requests": 89},
  "cache": {"hits": 90, "misses": 10, "entries": 7, "bytes": 1048576, "limit_bytes": 67108864},
  "redis": {"up": false},
  "budgets": [
    {"fingerprint": "a1b2c3d4", "owner": "gateway", "limit": 1200, "left": 1111},
    {"fingerprint": "e5f60718", "owner": "caller", "limit": 1200, "left": 0,
     "blocked_until": "2026-11-23T06:00:00Z"}],
  "errors": [{"last": "2026-11-23T05:00:00Z", "count": 3, "code": "UNAVAILABLE",
              "reason": "OVERLOADED", "message": "too many"}]
})";

GatewayStatus Serving(absl::StatusOr<std::string> report) {
  return {.address = "127.0.0.1:50051",
          .services = {{"", State::kServing}, {"pcap.v1.PcapService", State::kServing}},
          .report = std::move(report)};
}

std::string TableOf(absl::StatusOr<std::string> report) {
  return StatusTable(Serving(std::move(report)), kNow, Palette());
}

TEST(StatusTable, SaysWhatOperatorsAskFirst) {
  EXPECT_EQ(TableOf(kReport), R"(Address              127.0.0.1:50051
Gateway              serving
pcap.v1.PcapService  serving
Version              1.4.0
Uptime               3 h 12 min 5 s
Cache                90.0 % of 100 calls hit; 7 entries, 1.0 MiB of 64.0 MiB
Upstream             https://api.example/v4; 89 requests; circuit open
Budget               1111 of 1200 requests left for the gateway's credential a1b2c3d4
                     0 of 1200 requests left for the caller's credential e5f60718; blocked until 2026-11-23T06:00:00Z (in 30 min)
Redis                down
Last error           2026-11-23T05:00:00Z (30 min ago) UNAVAILABLE (OVERLOADED): too many
)");
}

TEST(StatusTable, WhatTheGatewayDoesNotHaveHasNoLine) {
  const std::string table = TableOf(R"({"version": "1.4.0", "budgets": [], "errors": []})");
  EXPECT_THAT(table, HasSubstr("Cache                off\n"));
  EXPECT_THAT(table, Not(HasSubstr("Redis")));
  EXPECT_THAT(table, Not(HasSubstr("Budget")));
  EXPECT_THAT(table, Not(HasSubstr("Last error")));
}

TEST(StatusTable, ACacheThatNobodyAskedHasNoShare) {
  EXPECT_THAT(TableOf(R"({"version": "1", "cache": {"hits": 0, "misses": 0, "entries": 0}})"),
              HasSubstr("no calls yet; 0 entries"));
}

TEST(StatusTable, AGatewayWithoutABreakerHasNoCircuit) {
  EXPECT_THAT(
      TableOf(R"({"version": "1", "upstream": {"url": "u", "requests": 2, "circuit": "none"}})"),
      HasSubstr("u; 2 requests\n"));
}

TEST(StatusTable, OfManyCredentialsTheFirstAreShown) {
  json report = json::parse(kReport);
  for (int i = 0; i < 10; ++i) report["budgets"].push_back(report["budgets"][0]);
  const std::string table = TableOf(report.dump());
  EXPECT_THAT(table, HasSubstr("and of 7 more credentials\n"));
}

TEST(MayBeReportOf, IsFalseForAnotherPort) {
  EXPECT_TRUE(MayBeReportOf("127.0.0.1:50051", kReport));
  EXPECT_TRUE(MayBeReportOf("[::1]:50051", kReport));
  EXPECT_FALSE(MayBeReportOf("127.0.0.1:50052", kReport));
  EXPECT_TRUE(MayBeReportOf("unix:/run/gateway", kReport));
  EXPECT_TRUE(MayBeReportOf("127.0.0.1:50052", R"({"version": "0.9"})"));
  EXPECT_TRUE(MayBeReportOf("127.0.0.1:50052", "no report"));
}

TEST(StatusTable, AReportThatIsNotToBeHadIsALine) {
  EXPECT_THAT(TableOf(absl::UnavailableError("nobody there")),
              HasSubstr("Details              none: nobody there\n"));
}

// The port may be anybody's.
TEST(StatusTable, NothingOfAReportIsTakenForGranted) {
  for (const char* const odd : {"", "<html>", "[]", "null", "{}", R"({"uptime_seconds": 1})"}) {
    EXPECT_THAT(TableOf(odd), HasSubstr("that is no gateway's report")) << odd;
  }
  for (const char* const odd :
       {R"({"version": 1, "uptime_seconds": 1e300, "cache": [], "budgets": 5, "errors": "x"})",
        R"({"version": "1", "uptime_seconds": -1, "cache": {"hits": "9"}, "budgets": [1, [], {}]})",
        R"({"version": {}, "upstream": 7, "redis": {"up": "yes"}, "errors": [7]})"}) {
    EXPECT_THAT(TableOf(odd), HasSubstr("Uptime")) << odd;
    EXPECT_NE(StatusJson(Serving(odd)), "") << odd;
  }
}

TEST(StatusTable, DoesNotPaintOnTheTerminalWhatTheReportSays) {
  const std::string table = TableOf(R"({"version": "1\u001b[2J"})");
  EXPECT_THAT(table, HasSubstr(R"(1\x1b[2J)"));
}

TEST(StatusTable, ColoursTellGoodFromBad) {
  GatewayStatus status = Serving(kReport);
  status.services[1].state = State::kNotServing;
  const std::string table = StatusTable(status, kNow, Palette(true));
  const Palette palette(true);
  EXPECT_THAT(table, HasSubstr(palette.Paint("serving", Tone::kGood)));
  EXPECT_THAT(table, HasSubstr(palette.Paint("not serving", Tone::kBad)));
  EXPECT_THAT(table, HasSubstr(palette.Paint("down", Tone::kBad)));
}

TEST(StatusJson, HoldsHealthAndTheReportAsItCame) {
  const json status = json::parse(StatusJson(Serving(kReport)));
  EXPECT_EQ(status["address"], "127.0.0.1:50051");
  EXPECT_EQ(status["serving"], true);
  EXPECT_EQ(status["services"], json({{"", "SERVING"}, {"pcap.v1.PcapService", "SERVING"}}));
  EXPECT_EQ(status["report"], json::parse(kReport));
}

TEST(StatusJson, HasNullForAReportThatIsNotToBeHad) {
  EXPECT_EQ(json::parse(StatusJson(Serving(absl::UnavailableError("")))).at("report"), nullptr);
  EXPECT_EQ(json::parse(StatusJson(Serving("<html>"))).at("report"), nullptr);
}

TEST(GatewayStatus, IsServingIfAllItsServicesAre) {
  GatewayStatus status = Serving(kReport);
  EXPECT_TRUE(status.serving());
  for (const State state :
       {State::kNotServing, State::kNotKnown, State::kNotThere, State::kNoAnswer}) {
    status.services[1].state = state;
    EXPECT_FALSE(status.serving());
  }
  status.services.clear();
  EXPECT_FALSE(status.serving());
}

}  // namespace
}  // namespace pcap_client
