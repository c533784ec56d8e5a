#include "service/source/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>

namespace pcap_gateway {
namespace {

using testing::Gt;
using testing::SizeIs;

// More than there will ever be; NameOf says INTERNAL for the numbers that are no reasons.
constexpr int kBeyondTheLast = 1000;

std::set<std::string> NamesInTheCode() {
  std::set<std::string> names;
  for (int i = 0; i < kBeyondTheLast; ++i) {
    names.emplace(NameOf(static_cast<Reason>(i)));
  }
  return names;
}

// The first column of the table in the service's comment: `//   REASON   CODE   meaning`.
std::set<std::string> NamesInTheProto() {
  std::ifstream proto(PCAP_SERVICE_PROTO);
  EXPECT_TRUE(proto.is_open()) << PCAP_SERVICE_PROTO;
  const std::regex row("^//   ([A-Z_]+) +[A-Z_]+ +[^ ].*");
  std::set<std::string> names;
  std::smatch match;
  for (std::string line; std::getline(proto, line);) {
    if (std::regex_match(line, match, row)) {
      EXPECT_TRUE(names.insert(match[1]).second) << match[1] << " is there twice";
    }
  }
  return names;
}

// Callers switch over the reasons; the proto's comment is where they learn them.
TEST(Reason, StandsInTheProtosComment) {
  EXPECT_THAT(NamesInTheCode(), SizeIs(Gt(10u)));
  EXPECT_EQ(NamesInTheCode(), NamesInTheProto());
}

TEST(Reason, HasANameOfItsOwn) {
  std::set<absl::string_view> names;
  for (int i = 0; i <= static_cast<int>(Reason::kInternal); ++i) {
    EXPECT_TRUE(names.insert(NameOf(static_cast<Reason>(i))).second) << i;
  }
}

// google/rpc/error_details.proto: at most 63 characters of [A-Z][A-Z0-9_]+[A-Z0-9].
TEST(Reason, IsWrittenAsErrorInfoWantsIt) {
  const std::regex form("[A-Z][A-Z0-9_]+[A-Z0-9]");
  for (const std::string& name : NamesInTheCode()) {
    EXPECT_TRUE(std::regex_match(name, form)) << name;
    EXPECT_LE(name.size(), 63u) << name;
  }
}

TEST(Error, HasNothingButWhatItIsMadeWith) {
  const Error error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "there is none");
  EXPECT_EQ(error.code, absl::StatusCode::kNotFound);
  EXPECT_EQ(error.message, "there is none");
  EXPECT_TRUE(error.metadata.empty());
  EXPECT_TRUE(error.field_violations.empty());
  EXPECT_FALSE(error.retry_after.has_value());
  EXPECT_EQ(error.documentation_url, "");
}

}  // namespace
}  // namespace pcap_gateway
