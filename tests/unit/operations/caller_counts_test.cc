#include "service/operations/caller_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::Pair;
using What = CallerCounts::What;

void End(CallerCounts& counts, const std::string& principal, int upstream_requests = 0,
         absl::StatusCode code = absl::StatusCode::kOk) {
  const Query query;
  const Reply reply = FailedReply(Error(code, Reason::kInternal, "it failed"));
  const auto caller = [&] { return Caller{.address = "ipv4:192.0.2.1:1", .principal = principal}; };
  counts.Ended({.method = "/m",
                .query = query,
                .reply = reply,
                .duration = absl::Seconds(1),
                .upstream_requests = upstream_requests,
                .caller = caller});
}

std::map<std::string, double> Told(const CallerCounts& counts, What what = What::kCalls) {
  std::map<std::string, double> told;
  for (const auto& [name, figure] : counts.All(what)) {
    EXPECT_TRUE(told.emplace(name, figure).second) << name << " is there twice";
  }
  return told;
}

TEST(CallerCounts, TellsWhatEachNameHasHad) {
  CallerCounts counts(true);
  End(counts, "spiffe://a", 3, absl::StatusCode::kUnavailable);
  End(counts, "spiffe://a", 1, absl::StatusCode::kInvalidArgument);
  End(counts, "b", 0, absl::StatusCode::kNotFound);
  End(counts, "", 1, absl::StatusCode::kInternal);
  EXPECT_THAT(Told(counts),
              ElementsAre(Pair("b", 1), Pair("none", 1), Pair("other", 0), Pair("spiffe://a", 2)));
  EXPECT_THAT(Told(counts, What::kUpstream),
              ElementsAre(Pair("b", 0), Pair("none", 1), Pair("other", 0), Pair("spiffe://a", 4)));
  EXPECT_THAT(Told(counts, What::kMistakes),
              ElementsAre(Pair("b", 1), Pair("none", 0), Pair("other", 0), Pair("spiffe://a", 1)));
  EXPECT_THAT(Told(counts, What::kFaults),
              ElementsAre(Pair("b", 0), Pair("none", 1), Pair("other", 0), Pair("spiffe://a", 1)));
}

TEST(CallerCounts, NamesBeyondTheHundredthAreOther) {
  CallerCounts counts(true);
  for (int i = 0; i < 300; ++i) End(counts, absl::StrCat("caller ", i));
  End(counts, "caller 7");
  const auto told = Told(counts);
  EXPECT_EQ(told.size(), CallerCounts::kMostNames + 2);
  EXPECT_EQ(told.at("other"), 200);
  EXPECT_EQ(told.at("caller 7"), 2);
}

TEST(CallerCounts, ANameOfAnyKindMakesASeriesThatCanBeRead) {
  CallerCounts counts(true);
  End(counts, "other");
  End(counts, "none");
  End(counts, std::string(CallerCounts::kLongestName + 1, 'x'));
  End(counts, "\xff\n\"");
  EXPECT_THAT(Told(counts),
              ElementsAre(Pair("\\xff\\n\\\"", 1), Pair("none", 0), Pair("other", 3)));
}

TEST(CallerCounts, WithoutCertificatesNobodyIsAskedForAName) {
  CallerCounts counts(false);
  End(counts, "not looked at");
  EXPECT_THAT(Told(counts), ElementsAre(Pair("none", 1), Pair("other", 0)));
}

TEST(CallerCounts, ThreadsCountTogether) {
  CallerCounts counts(true);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counts] {
      for (int call = 0; call < 200; ++call) End(counts, absl::StrCat(call));
    });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const auto& [name, figure] : Told(counts)) sum += figure;
  EXPECT_EQ(sum, 800);
}

}  // namespace
}  // namespace pcap_gateway
