#include "service/operations/status_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/clock.h"
#include "service/operations/status_chart.h"
#include "service/operations/status_history.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kEvil[] = "\"><script>alert('1')</script>&\xff";

StatusReport EvilReport() {
  StatusReport report{.version = kEvil, .address = kEvil};
  report.upstream.url = kEvil;
  report.upstream.failures = {{kEvil, 1}};
  report.budgets = {{.fingerprint = kEvil, .limit = 1, .left = 1}};
  report.errors = {{.reason = kEvil, .message = kEvil, .request_id = kEvil}};
  return report;
}

TEST(StatusHtml, EscapesEveryText) {
  const std::string html = StatusHtml(EvilReport());
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("\">alert")));
  EXPECT_THAT(html, HasSubstr("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"));
}

TEST(StatusJson, IsJsonWhateverTheTexts) {
  const auto json = nlohmann::json::parse(StatusJson(EvilReport()), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_THAT(json["errors"][0]["message"].get<std::string>(), HasSubstr("<script>"));
}

TEST(StatusHtml, OfTheFirstMomentHasNoFiguresToDivide) {
  StatusReport report{.started = absl::UnixEpoch()};
  report.now.at = absl::UnixEpoch();
  report.cache.emplace();
  const std::string html = StatusHtml(report);
  EXPECT_THAT(html, HasSubstr("up for 0 s"));
  EXPECT_THAT(html, HasSubstr("<dd>0 (–)</dd>"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, HasSubstr("No request has been charged"));
}

TEST(StatusHtml, TakesTheLargestFigures) {
  StatusReport report;
  constexpr auto kMost = std::numeric_limits<uint64_t>::max() / 2;
  report.now = {
      .at = absl::UnixEpoch() + absl::Hours(24 * 400), .answered = kMost, .faults = kMost};
  report.started = absl::UnixEpoch();
  report.cache = {.bytes = std::numeric_limits<int64_t>::max()};
  report.history = {{.at = absl::UnixEpoch()}, {.at = absl::UnixEpoch(), .answered = kMost}};
  const std::string html = StatusHtml(report);
  EXPECT_THAT(html, HasSubstr("up for 400 d 0 h"));
  EXPECT_THAT(html, Not(HasSubstr("inf")));
}

TEST(QuantileBetween, LooksAtWhatCameBetween) {
  const HistogramSnapshot earlier{.bounds = {0.001, 0.1, 1}, .counts = {1000, 0, 0, 0}};
  const HistogramSnapshot later{.bounds = {0.001, 0.1, 1}, .counts = {1000, 98, 2, 0}};
  EXPECT_EQ(QuantileBetween(later, earlier, 0.5), 0.1);
  EXPECT_EQ(QuantileBetween(later, earlier, 0.99), 1);
  EXPECT_LT(QuantileBetween(later, later, 0.5), 0);
  // Beyond the last bound nothing is known but that.
  const HistogramSnapshot slow{.bounds = {0.001, 0.1, 1}, .counts = {1000, 0, 0, 5}};
  EXPECT_EQ(QuantileBetween(slow, earlier, 0.5), 1);
}

TEST(HumanNumber, HasThreeDigits) {
  EXPECT_EQ(HumanNumber(0), "0");
  EXPECT_EQ(HumanNumber(0.031), "0.031");
  EXPECT_EQ(HumanNumber(1.5), "1.5");
  EXPECT_EQ(HumanNumber(12.34), "12.3");
  EXPECT_EQ(HumanNumber(100), "100");
  EXPECT_EQ(HumanNumber(1234), "1,234");
  EXPECT_EQ(HumanNumber(1234567), "1,234,567");
}

TEST(ChartFigure, SaysInWordsWhatItShows) {
  const std::string figure = ChartFigure(
      {.title = "Calls a second", .unit = "/s", .lines = {{"answered", "first", {-1, 1, 3}}}});
  EXPECT_THAT(figure, HasSubstr("aria-label=\"Calls a second over the last 15 minutes; now: "
                                "answered 3/s\""));
  EXPECT_THAT(figure, HasSubstr("up to 3/s"));
  // A gap, then from two thirds down to the top.
  EXPECT_THAT(figure, HasSubstr("d=\"M160.0 48.0h0L320.0 0.0\""));
}

TEST(ChartFigure, HasTheFullFiveMinutesBelow) {
  Chart chart{.title = "Calls", .lines = {{"answered", "first", std::vector<double>(181, 1)}}};
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, "2026-11-29T14:02:30Z", &chart.until, nullptr));
  // 15 minutes, of which the last 150 seconds are a sixth.
  std::string figure = ChartFigure(chart);
  EXPECT_THAT(figure, HasSubstr("<text x=\"16.7%\" y=\"1em\" text-anchor=\"middle\">13:50</text>"));
  EXPECT_THAT(figure, HasSubstr("<text x=\"50.0%\" y=\"1em\" text-anchor=\"middle\">13:55</text>"));
  EXPECT_THAT(figure, HasSubstr("<text x=\"83.3%\" y=\"1em\" text-anchor=\"middle\">14:00</text>"));
  EXPECT_THAT(figure, HasSubstr("M160.0 0V72"));
  EXPECT_THAT(figure, Not(HasSubstr("13:45")));
  // At the edges a label stands within the chart.
  chart.until -= absl::Seconds(150);
  figure = ChartFigure(chart);
  EXPECT_THAT(figure, HasSubstr("<text x=\"100.0%\" y=\"1em\" text-anchor=\"end\">14:00</text>"));
  EXPECT_THAT(figure, HasSubstr("<text x=\"0.0%\" y=\"1em\" text-anchor=\"start\">13:45</text>"));
  // Of one value nobody knows how wide it is.
  chart.lines.front().values = {1};
  EXPECT_THAT(ChartFigure(chart), Not(HasSubstr("<text")));
}

TEST(StatusHtml, AnErrorSaysItsReasonThenItsMessageThenItsDetail) {
  StatusReport report;
  report.errors = {{.last = absl::UnixEpoch(),
                    .count = 3,
                    .code = absl::StatusCode::kUnavailable,
                    .reason = "THE_REASON",
                    .message = "the message",
                    .detail = "the detail",
                    .request_id = "the id"},
                   {.code = absl::StatusCode::kNotFound}};
  const std::string html = StatusHtml(report);
  EXPECT_THAT(html,
              HasSubstr("<b class=\"bad\">THE_REASON</b><span>UNAVAILABLE</span><span>3 times, "
                        "last <time>1970-01-01T00:00:00Z</time></span></p><p class=\"message\">"
                        "the message</p><p class=\"detail\">the detail</p><p class=\"detail\">"
                        "Request id the id</p></li>"));
  // Without a reason the code is what there is, and what there is not has no line.
  EXPECT_THAT(html, HasSubstr("<b>NOT_FOUND</b><span></span><span>once, <time>"));
  EXPECT_THAT(html, HasSubstr("</time></span></p></li></ul>"));
}

TEST(StatusHistory, KeepsTheLastOnes) {
  StatusHistory history;
  for (size_t i = 0; i < StatusHistory::kMost + 10; ++i) history.Add({.answered = i});
  const std::vector<StatusFigures> all = history.All();
  ASSERT_EQ(all.size(), StatusHistory::kMost);
  EXPECT_EQ(all.front().answered, 10u);
  EXPECT_EQ(all.back().answered, StatusHistory::kMost + 9);
}

TEST(StatusHistory, TakesTheFirstAtOnceAndEndsAtOnce) {
  StatusHistory history;
  history.Watch([] { return StatusFigures{.answered = 7}; });
  ASSERT_TRUE(Until([&] { return !history.All().empty(); }));
  EXPECT_EQ(history.All().front().answered, 7u);
}

}  // namespace
}  // namespace pcap_gateway
