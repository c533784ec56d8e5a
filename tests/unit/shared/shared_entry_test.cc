#include "service/shared/shared_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/shared/shared_standing.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::Pair;

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);
const auto kCredential = TestCredential("canary-token-of-one-user");
const auto kOther = TestCredential("canary-token-of-another");

std::shared_ptr<Outcome> Answer() {
  auto outcome = std::make_shared<Outcome>();
  outcome->message = std::string("\x0a\x00\xff bytes", 9);
  outcome->stage = Stage::kFinal;
  outcome->run = {.began = kNoon - absl::Minutes(5), .ends = kNoon};
  outcome->http_status = 200;
  outcome->cf_ray = Ray("8f2b3c4d5e6f7a8b-FRA");
  return outcome;
}

std::string Sealed(const Outcome& outcome) {
  return SealedEntry(outcome, kNoon, absl::Hours(2), "name", *kCredential);
}

TEST(SharedEntry, GivesBackTheAnswerThatWasSealed) {
  const auto entry = OpenedEntry(Sealed(*Answer()), "name", *kCredential, Reason::kPcapNotFound);
  ASSERT_TRUE(entry.has_value());
  const Outcome& outcome = *entry->outcome;
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.message, Answer()->message);
  EXPECT_EQ(outcome.stage, Stage::kFinal);
  EXPECT_EQ(outcome.as_of, kNoon);
  EXPECT_EQ(outcome.run.began, kNoon - absl::Minutes(5));
  EXPECT_EQ(outcome.run.ends, kNoon);
  EXPECT_EQ(outcome.http_status, 200);
  EXPECT_EQ(outcome.cf_ray.text(), "8f2b3c4d5e6f7a8b-FRA");
  EXPECT_EQ(entry->lifetime, absl::Hours(2));
}

TEST(SharedEntry, GivesBackHowLongItMayChange) {
  for (const Stage stage : {Stage::kMoving, Stage::kQuiet, Stage::kFinal}) {
    const auto answer = Answer();
    answer->stage = stage;
    const auto entry = OpenedEntry(Sealed(*answer), "name", *kCredential, Reason::kPcapNotFound);
    ASSERT_TRUE(entry.has_value());
    EXPECT_EQ(entry->outcome->stage, stage);
  }
}

TEST(SharedEntry, GivesBackANotFound) {
  Outcome outcome;
  Error error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "no such capture");
  error.metadata.emplace_back("httpStatus", "404");
  error.documentation_url = "https://developers.cloudflare.com/";
  outcome.error = std::make_unique<const Error>(error);
  outcome.http_status = 404;
  const auto entry = OpenedEntry(Sealed(outcome), "name", *kCredential, Reason::kPcapNotFound);
  ASSERT_TRUE(entry.has_value() && !entry->outcome->ok());
  EXPECT_EQ(entry->outcome->error->reason, Reason::kPcapNotFound);
  EXPECT_EQ(entry->outcome->error->message, "no such capture");
  EXPECT_THAT(entry->outcome->error->metadata, ElementsAre(Pair("httpStatus", "404")));
  EXPECT_EQ(entry->outcome->error->documentation_url, "https://developers.cloudflare.com/");
  EXPECT_EQ(entry->outcome->run.began, absl::InfinitePast());
}

TEST(SharedEntry, IsMarkedByItsStage) {
  EXPECT_EQ(Sealed(*Answer())[0], kFinalMark);
  const auto moving = Answer();
  moving->stage = Stage::kMoving;
  EXPECT_EQ(Sealed(*moving)[0], kMovingMark);
}

TEST(SharedEntry, ThatWasChangedAnywhereIsNone) {
  const std::string value = Sealed(*Answer());
  for (size_t i = 0; i < value.size(); ++i) {
    std::string changed = value;
    changed[i] ^= 1;
    EXPECT_FALSE(OpenedEntry(changed, "name", *kCredential, Reason::kPcapNotFound).has_value())
        << i;
    EXPECT_FALSE(
        OpenedEntry(value.substr(0, i), "name", *kCredential, Reason::kPcapNotFound).has_value())
        << i;
  }
  EXPECT_FALSE(OpenedEntry(value + "x", "name", *kCredential, Reason::kPcapNotFound).has_value());
}

TEST(SharedEntry, OfAnotherNameOrCredentialIsNone) {
  const std::string value = Sealed(*Answer());
  EXPECT_FALSE(OpenedEntry(value, "another", *kCredential, Reason::kPcapNotFound).has_value());
  EXPECT_FALSE(OpenedEntry(value, "name", *kOther, Reason::kPcapNotFound).has_value());
}

TEST(EntryName, TellsApartWhatDiffersInAnything) {
  Query query = QueryFor(1);
  query.credential = kCredential;
  const std::string name = EntryName(query, "a");
  EXPECT_EQ(name, EntryName(query, "a"));
  EXPECT_NE(name, EntryName(query, "b"));
  Query other = query;
  other.resource = NumberedId(2);
  EXPECT_NE(name, EntryName(other, "a"));
  other = query;
  other.account = NumberedId(2);
  EXPECT_NE(name, EntryName(other, "a"));
  std::swap(other.account, other.resource);
  EXPECT_NE(name, EntryName(other, "a"));
  other = query;
  other.credential = kOther;
  EXPECT_NE(name, EntryName(other, "a"));
}

TEST(EntryName, ShowsNothingOfWhatItNames) {
  Query query = QueryFor(0xabcdef);
  query.credential = kCredential;
  const std::string name = EntryName(query, "");
  EXPECT_THAT(name, MatchesRegex("pcap-gateway:v1:\\{[0-9a-f]+\\}:[0-9a-f]+"));
  EXPECT_EQ(name.size(), 16 + 34 + 1 + 32u);
  EXPECT_THAT(name, Not(HasSubstr("canary")));
  EXPECT_THAT(name, Not(HasSubstr("abcdef")));
}

// As a cluster of Redis' wants it of what one script touches.
TEST(EntryName, LiesInOneSlotWithWhatBelongsToTheSameCredential) {
  const auto slot_of = [](const std::string& name) { return name.substr(0, name.find('}')); };
  Query query = QueryFor(1);
  query.credential = kCredential;
  Query other = QueryFor(2);
  other.credential = kCredential;
  const std::string slot = slot_of(EntryName(query, ""));
  EXPECT_EQ(slot, slot_of(EntryName(other, "a")));
  EXPECT_EQ(slot, slot_of(StandingName(*kCredential)));
  EXPECT_EQ(slot, slot_of(StandingName(*kCredential, NumberedId(1))));
  other.credential = kOther;
  EXPECT_NE(slot, slot_of(EntryName(other, "")));
}

}  // namespace
}  // namespace pcap_gateway
