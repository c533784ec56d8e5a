#include "service/access/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;

constexpr char kGet[] = "/pcap.v1.PcapService/GetPcap";

std::shared_ptr<const Policy> Parsed(const std::string& json) {
  const auto policy = Policy::Parse(json);
  EXPECT_TRUE(policy.ok()) << policy.status() << "\n" << json;
  return policy.value_or(nullptr);
}

Principals Uri(const std::string& uri) { return {.uris = {uri}}; }

bool Permits(const Policy& policy, const Principals& principals, const std::string& path = kGet,
             const std::multimap<std::string, std::string>& headers = {}) {
  const auto header = [&](absl::string_view key) {
    std::vector<absl::string_view> values;
    const auto [first, last] = headers.equal_range(std::string(key));
    for (auto entry = first; entry != last; ++entry) values.push_back(entry->second);
    return values;
  };
  return policy.Permits({.principals = principals, .path = path, .header = header});
}

// A policy with one allow rule.
std::shared_ptr<const Policy> Allowing(const std::string& rule) {
  return Parsed(absl::StrCat(R"({"name":"p","allow_rules":[{"name":"r",)", rule, "}]}"));
}

std::shared_ptr<const Policy> AllowingPrincipal(const std::string& pattern) {
  return Allowing(absl::StrCat(R"("source":{"principals":[")", pattern, "\"]}"));
}

struct Match {
  const char* pattern;
  const char* value;
  bool fits;
};

// gRFC A43, "exact, prefix, suffix and presence".
constexpr Match kMatches[] = {
    {"abc", "abc", true},   {"abc", "abcd", false},  {"abc", "ABC", false},   {"abc", "", false},
    {"abc*", "abc", true},  {"abc*", "abcd", true},  {"abc*", "xabc", false}, {"*abc", "abc", true},
    {"*abc", "xabc", true}, {"*abc", "abcx", false}, {"*", "x", true},        {"*", "", false},
};

TEST(Policy, MatchesPrincipals) {
  for (const auto& [pattern, value, fits] : kMatches) {
    EXPECT_EQ(Permits(*AllowingPrincipal(pattern), Uri(value)), fits) << pattern << " " << value;
  }
}

TEST(Principals, AreNamedByWhatCountsMost) {
  Principals principals;
  EXPECT_EQ(principals.Name(), "");
  principals.subject = "CN=reader";
  EXPECT_EQ(principals.Name(), "CN=reader");
  principals.dns_names = {"reader.example.com", "other.example.com"};
  EXPECT_EQ(principals.Name(), "reader.example.com");
  principals.uris = {"spiffe://example.com/reader"};
  EXPECT_EQ(principals.Name(), "spiffe://example.com/reader");
}

TEST(Policy, MatchesPaths) {
  for (const auto& [pattern, value, fits] : kMatches) {
    const auto policy = Allowing(absl::StrCat(R"("request":{"paths":[")", pattern, "\"]}"));
    EXPECT_EQ(Permits(*policy, {}, value), fits) << pattern << " " << value;
  }
}

TEST(Policy, MatchesHeaders) {
  for (const auto& [pattern, value, fits] : kMatches) {
    const auto policy = Allowing(
        absl::StrCat(R"("request":{"headers":[{"key":"x-key","values":[")", pattern, "\"]}]}"));
    EXPECT_EQ(Permits(*policy, {}, kGet, {{"x-key", value}}), fits) << pattern << " " << value;
    EXPECT_FALSE(Permits(*policy, {}, kGet, {})) << "a header that is not there fits nothing";
  }
}

TEST(Policy, OfAListOneEntryHasToFit) {
  const auto policy = Allowing(R"("request":{"paths":["/a","/b"]})");
  EXPECT_TRUE(Permits(*policy, {}, "/a"));
  EXPECT_TRUE(Permits(*policy, {}, "/b"));
  EXPECT_FALSE(Permits(*policy, {}, "/c"));
}

TEST(Policy, OfARuleAllPartsHaveToFit) {
  const auto policy =
      Allowing(R"("source":{"principals":["a"]},"request":{"paths":["/p"],)"
               R"("headers":[{"key":"h","values":["1"]},{"key":"i","values":["2"]}]})");
  EXPECT_TRUE(Permits(*policy, Uri("a"), "/p", {{"h", "1"}, {"i", "2"}}));
  EXPECT_FALSE(Permits(*policy, Uri("b"), "/p", {{"h", "1"}, {"i", "2"}}));
  EXPECT_FALSE(Permits(*policy, Uri("a"), "/q", {{"h", "1"}, {"i", "2"}}));
  EXPECT_FALSE(Permits(*policy, Uri("a"), "/p", {{"h", "1"}}));
  EXPECT_FALSE(Permits(*policy, Uri("a"), "/p", {{"h", "1"}, {"i", "3"}}));
}

TEST(Policy, ARuleWithoutPartsFitsEveryCall) {
  EXPECT_TRUE(Permits(*Parsed(R"({"name":"p","allow_rules":[{"name":"all"}]})"), {}));
  EXPECT_TRUE(Permits(*Allowing(R"("source":{},"request":{})"), {}));
}

TEST(Policy, WhatNoRuleAllowsIsRefused) {
  EXPECT_FALSE(Permits(*AllowingPrincipal("a"), Uri("b")));
  EXPECT_FALSE(Permits(*AllowingPrincipal("a"), {}));
  EXPECT_FALSE(Permits(*AllowingPrincipal("*"), {}));
}

TEST(Policy, ADenyRuleComesBeforeAllAllowRules) {
  const auto policy =
      Parsed(R"({"name":"p","deny_rules":[{"name":"d","source":{"principals":["a"]}}],)"
             R"("allow_rules":[{"name":"all"}]})");
  EXPECT_FALSE(Permits(*policy, Uri("a")));
  EXPECT_TRUE(Permits(*policy, Uri("b")));
}

std::shared_ptr<const Policy> DenyingJob(const std::string& pattern) {
  return Parsed(absl::StrCat(
      R"({"name":"p","deny_rules":[{"name":"d","request":{"headers":[{"key":"x-job","values":[")",
      pattern, R"("]}]}}],"allow_rules":[{"name":"all"}]})"));
}

TEST(Policy, ADenyRuleFitsAHeaderIfOneOfItsValuesDoes) {
  for (const char* pattern : {"batch-1", "batch-*", "*-1"}) {
    const auto policy = DenyingJob(pattern);
    EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", "batch-1"}})) << pattern;
    EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", "a"}, {"x-job", "batch-1"}})) << pattern;
    EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", "batch-1"}, {"x-job", "a"}})) << pattern;
    EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", ""}, {"x-job", "batch-1"}})) << pattern;
    EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", "a,batch-1"}})) << pattern;
    EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", "a , batch-1 ,b"}})) << pattern;
    EXPECT_TRUE(Permits(*policy, {}, kGet, {{"x-job", "a"}, {"x-job", "b"}})) << pattern;
    EXPECT_TRUE(Permits(*policy, {}, kGet, {{"x-other", "batch-1"}})) << pattern;
  }
}

TEST(Policy, ADenyRuleFitsAHeaderIfItsJoinedTextDoes) {
  EXPECT_FALSE(Permits(*DenyingJob("a,b"), {}, kGet, {{"x-job", "a"}, {"x-job", "b"}}));
}

TEST(Policy, AnAllowRuleFitsAHeaderIfAllOfItsValuesDo) {
  const auto policy = Allowing(R"("request":{"headers":[{"key":"x-job","values":["a*","*z"]}]})");
  EXPECT_TRUE(Permits(*policy, {}, kGet, {{"x-job", "a"}}));
  EXPECT_TRUE(Permits(*policy, {}, kGet, {{"x-job", "a"}, {"x-job", "a2"}}));
  EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", "a"}, {"x-job", "other"}}));
  EXPECT_FALSE(Permits(*policy, {}, kGet, {{"x-job", "other"}, {"x-job", "z"}}));
}

// Who makes its own request for a certificate must not escape by a name more.
TEST(Policy, ADenyRuleLooksAtAllNamesOfACertificate) {
  const auto policy =
      Parsed(R"({"name":"p","deny_rules":[{"name":"d","source":{"principals":["bad"]}}],)"
             R"("allow_rules":[{"name":"all"}]})");
  EXPECT_FALSE(Permits(*policy, {.uris = {"x", "bad"}}));
  EXPECT_FALSE(Permits(*policy, {.uris = {"x"}, .dns_names = {"bad"}}));
  EXPECT_FALSE(Permits(*policy, {.dns_names = {"x"}, .subject = "bad"}));
  EXPECT_TRUE(Permits(*policy, {.uris = {"x"}, .dns_names = {"y"}, .subject = "z"}));
}

// As gRPC's own engine does it.
TEST(Policy, AKindOfNamesCountsOnlyWhereTheKindBeforeItIsEmpty) {
  const auto policy = AllowingPrincipal("a");
  EXPECT_TRUE(Permits(*policy, {.uris = {"x", "a"}}));
  EXPECT_TRUE(Permits(*policy, {.dns_names = {"a"}}));
  EXPECT_TRUE(Permits(*policy, {.subject = "a"}));
  EXPECT_FALSE(Permits(*policy, {.uris = {"x"}, .dns_names = {"a"}, .subject = "a"}));
  EXPECT_FALSE(Permits(*policy, {.dns_names = {"x"}, .subject = "a"}));
}

TEST(Policy, WithoutAccountRulesAnyCallerMayAskForAnyAccount) {
  EXPECT_TRUE(AllowingPrincipal("a")->MayAsk({}, NumberedId(1)));
}

TEST(Policy, WithAccountRulesACallerMayAskForThoseItIsGiven) {
  const auto policy =
      Parsed(absl::StrCat(R"({"name":"p","allow_rules":[{"name":"all"}],"account_rules":[)",
                          R"({"name":"a","principals":["a"],"accounts":[")",
                          NumberedId(1).ToString(), R"(",")", NumberedId(2).ToString(),
                          R"("]},{"name":"any","principals":["b","c*"],"accounts":["*"]}]})"));
  EXPECT_TRUE(policy->MayAsk(Uri("a"), NumberedId(1)));
  EXPECT_TRUE(policy->MayAsk(Uri("a"), NumberedId(2)));
  EXPECT_FALSE(policy->MayAsk(Uri("a"), NumberedId(3)));
  EXPECT_TRUE(policy->MayAsk(Uri("cx"), NumberedId(3)));
  EXPECT_FALSE(policy->MayAsk(Uri("d"), NumberedId(1)));
  EXPECT_FALSE(policy->MayAsk({}, NumberedId(1)));
}

struct Wrong {
  const char* json;
  const char* why;
};

constexpr Wrong kWrong[] = {
    {"", "not JSON"},
    {"{", "not JSON, at line 1, column 2"},
    {"{\n \"name\": x}", "not JSON, at line 2, column 10"},
    {R"({"name":"p","allow_rules":[{"name":"r"}]} x)", "not JSON"},
    {R"({"name":"p",/*c*/"allow_rules":[{"name":"r"}]})", "not JSON"},
    {"[]", "the policy is not an object"},
    {R"({"allow_rules":[{"name":"r"}]})", "the policy has no name"},
    {R"({"name":"","allow_rules":[{"name":"r"}]})", "the policy: name is not a text"},
    {R"({"name":5,"allow_rules":[{"name":"r"}]})", "the policy: name is not a text"},
    {R"({"name":"p"})", "the policy has no allow_rules"},
    {R"({"name":"p","allow_rules":[]})", "allow_rules is empty"},
    {R"({"name":"p","allow_rules":{}})", "allow_rules is not a list"},
    {R"({"name":"p","allow_rules":["r"]})", "allow_rules[0] is not an object"},
    {R"({"name":"p","allow_rules":[{"name":"r"},{}]})", "allow_rules[1] has no name"},
    {R"({"name":"p","deny_rules":[],"allow_rules":[{"name":"r"}]})", "deny_rules is empty"},
    {R"({"name":"p","allowed":[]})", "unknown key `allowed`"},
    {R"({"name":"p","allow_rules":[{"name":"r","principals":["a"]}]})", "unknown key `principals`"},
    {R"({"name":"p","allow_rules":[{"name":"r","source":{"principal":["a"]}}]})",
     "unknown key `principal`"},
    {R"({"name":"p","allow_rules":[{"name":"r","source":{"principals":[]}}]})",
     "source.principals is empty"},
    {R"({"name":"p","allow_rules":[{"name":"r","source":{"principals":[""]}}]})",
     "is not a text, or an empty one"},
    {R"({"name":"p","allow_rules":[{"name":"r","source":{"principals":["a*b"]}}]})", "a `*` may"},
    {R"({"name":"p","allow_rules":[{"name":"r","source":{"principals":["*a*"]}}]})", "a `*` may"},
    {R"({"name":"p","allow_rules":[{"name":"r","source":{"principals":["**"]}}]})", "a `*` may"},
    {R"({"name":"p","allow_rules":[{"name":"r","request":{"paths":[]}}]})", "paths is empty"},
    {R"({"name":"p","allow_rules":[{"name":"r","request":{"path":["/"]}}]})", "unknown key `path`"},
    {R"({"name":"p","allow_rules":[{"name":"r","request":{"headers":[{"values":["a"]}]}}]})",
     "no header"},
    {R"({"name":"p","allow_rules":[{"name":"r","request":{"headers":[{"key":"a"}]}}]})",
     "has no values"},
    {R"({"name":"p","allow_rules":[{"name":"r","request":{"headers":[{"key":"a","values":[]}]}}]})",
     "values is empty"},
    {R"({"name":"p","allow_rules":[{"name":"r","request":{"headers":[{"key":"X-Job",)"
     R"("values":["a"]}]}}]})",
     "a key has capitals, which no header's name has; write `x-job`"},
    {R"({"name":"p","name":"q","allow_rules":[{"name":"r"}]})", "a key stands twice"},
    {R"({"name":"p","allow_rules":[{"name":"r"}],"account_rules":[]})", "account_rules is empty"},
    {R"({"name":"p","allow_rules":[{"name":"r"}],"account_rules":[{"name":"a"}]})",
     "principals is empty"},
    {R"({"name":"p","allow_rules":[{"name":"r"}],)"
     R"("account_rules":[{"name":"a","principals":["a"],"accounts":[]}]})",
     "accounts is empty"},
    {R"({"name":"p","allow_rules":[{"name":"r"}],)"
     R"("account_rules":[{"name":"a","principals":["a"],"accounts":["023E"]}]})",
     "neither 32 lower-case hexadecimal digits"},
    {"[[[[[[[[[[[[[[]]]]]]]]]]]]]]", "nested too deep"},
};

TEST(Policy, WhatIsNotExactlyAPolicyIsRefusedWithTheReason) {
  for (const auto& [json, why] : kWrong) {
    EXPECT_THAT(Policy::Parse(json).status().message(), HasSubstr(why)) << json;
  }
}

TEST(Policy, HeadersThatBelongToTheConnectionAreNoRulesBusiness) {
  for (const char* key : {":path", ":authority", "grpc-timeout", "host", "Host", "connection", "te",
                          "upgrade", "transfer-encoding", "grpc-trace-bin", "x-bin", "a b", ""}) {
    EXPECT_FALSE(
        Policy::Parse(
            absl::StrCat(R"({"name":"p","allow_rules":[{"name":"r","request":{"headers":[{"key":")",
                         key, R"(","values":["a"]}]}}]})"))
            .ok())
        << key;
  }
}

TEST(Policy, EachBeginningOfAPolicyIsRefused) {
  const std::string whole =
      R"({"name":"p","allow_rules":[{"name":"r","source":{"principals":["a"]}}]})";
  ASSERT_TRUE(Policy::Parse(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Policy::Parse(whole.substr(0, size)).ok()) << size;
  }
}

// Somebody may name the wrong file.
TEST(Policy, AKeyThatLooksLikeASecretIsNotRepeated) {
  const auto policy = Policy::Parse(R"({"s3cr3t/Token+With=Signs":1})");
  EXPECT_THAT(policy.status().message(), testing::Not(HasSubstr("s3cr3t")));
}

}  // namespace
}  // namespace pcap_gateway
