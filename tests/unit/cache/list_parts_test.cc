// What a list says of its captures, and what captures say of themselves, agree in the cache.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/cache/caching_source.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_source.h"
#include "tests/support/listing.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

constexpr FreshnessPolicy kPolicy{.final_lifetime = absl::Hours(10), .jitter = 0};
constexpr absl::Duration kLong = absl::Minutes(1);

class ListPartsTest : public testing::Test {
 protected:
  explicit ListPartsTest(bool others_write = false) {
    auto upstream = std::make_unique<FakeSource>(clock_);
    upstream_ = upstream.get();
    cache_ = std::make_unique<CachingSource>(
        std::move(upstream),
        CacheOptions{.most_bytes = 1 << 20, .freshness = kPolicy, .others_write = others_write},
        clock_);
  }

  static Query Get(int number, absl::Duration max_age = absl::InfiniteDuration()) {
    Query query = QueryFor(number, max_age);
    query.endpoint = &GetEndpoint();
    return query;
  }
  static Query List(absl::Duration max_age = absl::InfiniteDuration()) {
    Query query = QueryFor(0, max_age);
    query.endpoint = &ListEndpoint();
    return query;
  }

  // What a call gets: at hand, or once the upstream has said `said`. "asked" where it had to be
  // asked, and `said` is empty.
  std::string Call(Query query, const std::string& said = "") {
    if (std::optional<Reply> reply = cache_->AtHand(query)) return SaidBy(*reply);
    auto got = std::make_shared<std::string>("asked");
    const size_t before = upstream_->asked();
    cache_->Ask(std::move(query), [got](const Reply& reply) { *got = SaidBy(reply); });
    if (upstream_->asked() > before && !said.empty()) Answer(before, said);
    return *got;
  }

  static std::string SaidBy(const Reply& reply) {
    return reply.outcome->ok() ? reply.outcome->message : "error";
  }

  void Answer(size_t number, const std::string& said) {
    const bool moves = said.find("m:") != std::string::npos;
    upstream_->Answer(number, said, moves ? Stage::kMoving : Stage::kFinal);
  }

  // Until all that moves has to be asked for anew.
  void Wait() { clock_.Advance(kLong); }

  FakeClock clock_;
  FakeSource* upstream_;
  std::unique_ptr<CachingSource> cache_;
};

TEST_F(ListPartsTest, AListAnswersForEachOfItsCaptures) {
  Call(List(), "1m:running 2f:success");
  EXPECT_EQ(Call(Get(1)), "1m:running");
  EXPECT_EQ(Call(Get(2)), "2f:success");
  EXPECT_EQ(Call(Get(3)), "asked");
  EXPECT_EQ(upstream_->asked(), 2u);
}

TEST_F(ListPartsTest, APartIsKeptAsLongAsTheCaptureItselfWouldBe) {
  Call(List(), "1m:running 2f:success");
  Wait();
  EXPECT_EQ(Call(Get(2)), "2f:success");
  EXPECT_EQ(Call(Get(1)), "asked");
}

TEST_F(ListPartsTest, TheYoungerWordCounts) {
  // Asked for first, and there last.
  cache_->Ask(List(), [](const Reply&) {});
  clock_.Advance(absl::Milliseconds(10));
  EXPECT_EQ(Call(Get(1), "1m:running"), "1m:running");
  Answer(0, "1m:pending");
  EXPECT_EQ(Call(Get(1)), "1m:running");
  clock_.Advance(absl::Milliseconds(10));
  EXPECT_EQ(Call(List(absl::ZeroDuration()), "1m:converting"), "1m:converting");
  EXPECT_EQ(Call(Get(1)), "1m:converting");
}

TEST_F(ListPartsTest, WhatIsGoneIsNotBroughtBackByAnOlderList) {
  cache_->Ask(List(), [](const Reply&) {});
  clock_.Advance(absl::Milliseconds(10));
  Call(Get(1));
  upstream_->Fail(1, absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404);
  Answer(0, "1m:running");
  EXPECT_EQ(Call(Get(1)), "error");
  EXPECT_EQ(upstream_->asked(), 2u);
}

TEST_F(ListPartsTest, AListDoesNotTakeBackThatACaptureIsFinal) {
  EXPECT_EQ(Call(Get(1), "1f:success"), "1f:success");
  Wait();
  EXPECT_EQ(Call(List(), "1m:running 2m:running"), "1f:success 2m:running");
  EXPECT_EQ(Call(Get(1)), "1f:success");
  // Not even to those who find it kept.
  EXPECT_EQ(Call(List()), "1f:success 2m:running");
}

TEST_F(ListPartsTest, AKeptListIsPutRightOnceACaptureIsFinal) {
  Call(List(), "1m:running 2m:running");
  EXPECT_EQ(Call(Get(1, absl::ZeroDuration()), "1f:success"), "1f:success");
  EXPECT_EQ(Call(List()), "1f:success 2m:running");
  EXPECT_EQ(upstream_->asked(), 2u);
}

TEST_F(ListPartsTest, AListThatAWriteOutdatedSaysNothingOfItsCaptures) {
  cache_->Ask(List(), [](const Reply&) {});
  Query write = WriteOf(1);
  static const Endpoint stop = [] {
    Endpoint made = WritingEndpoint();
    made.outdates = [](const Query& query) -> std::vector<Subject> {
      return {{query.account, query.resource, GetEndpoint().number},
              {query.account, NumberedId(0), ListEndpoint().number}};
    };
    return made;
  }();
  write.endpoint = &stop;
  cache_->Ask(write, [](const Reply&) {});
  upstream_->Answer(1, "");
  Answer(0, "1m:running");
  EXPECT_EQ(Call(Get(1)), "asked");
}

TEST_F(ListPartsTest, CredentialsAndAccountsStayApart) {
  Call(List(), "1f:success");
  Query stranger = Get(1);
  stranger.credential = TestCredential("another");
  EXPECT_EQ(Call(stranger), "asked");
  Query elsewhere = Get(1);
  elsewhere.account = NumberedId(2);
  EXPECT_EQ(Call(elsewhere), "asked");
}

// Where other replicas write, only what is final is kept here.
class SharedListPartsTest : public ListPartsTest {
 protected:
  SharedListPartsTest() : ListPartsTest(/*others_write=*/true) {}
};

TEST_F(SharedListPartsTest, OnlyWhatIsFinalIsKept) {
  EXPECT_EQ(Call(List(), "1m:running 2f:success"), "1m:running 2f:success");
  EXPECT_EQ(Call(Get(2)), "2f:success");
  EXPECT_EQ(Call(Get(1), "1f:success"), "1f:success");
  EXPECT_EQ(Call(List(), "1m:running 2m:running"), "1f:success 2f:success");
}

}  // namespace
}  // namespace pcap_gateway
