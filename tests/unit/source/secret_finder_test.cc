#include "service/source/secret_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace pcap_gateway {
namespace {

constexpr char kToken[] = "Canary-token_that+opens/nothing-0123456789";

std::string Redacted(std::string text, const SecretFinder& finder) {
  const bool suspected = finder.MayHold(text);
  const bool found = finder.Redact(text);
  EXPECT_TRUE(suspected || !found) << "what is there is suspected: " << text;
  return text;
}

std::string Redacted(const std::string& text) {
  static const SecretFinder finder({kToken});
  return Redacted(text, finder);
}

// `secret` with each of its characters from `first` on, every `step`-th, as `format` has it.
std::string Escaped(absl::string_view secret, size_t first, size_t step,
                    const absl::FormatSpec<int>& format) {
  std::string escaped;
  for (size_t i = 0; i < secret.size(); ++i) {
    if (i >= first && (i - first) % step == 0) {
      absl::StrAppendFormat(&escaped, format, static_cast<int>(secret[i]));
    } else {
      escaped += secret[i];
    }
  }
  return escaped;
}

TEST(SecretFinder, FindsASecretAsItStandsAndInAnyCase) {
  EXPECT_EQ(Redacted(kToken), "REDACTED");
  EXPECT_EQ(Redacted(absl::StrCat("a ", kToken, ", ", kToken, "!")), "a REDACTED, REDACTED!");
  EXPECT_EQ(Redacted(absl::StrCat("<", absl::AsciiStrToUpper(kToken), ">")), "<REDACTED>");
  EXPECT_EQ(Redacted(absl::StrCat("<", absl::AsciiStrToLower(kToken), ">")), "<REDACTED>");
}

TEST(SecretFinder, FindsOneWithAnyOfItsCharactersEscaped) {
  const std::string secret = kToken;
  for (const size_t step : {size_t{1}, size_t{3}, secret.size()}) {
    for (size_t first = 0; first < secret.size(); ++first) {
      for (const std::string& text :
           {Escaped(secret, first, step, "%%%02x"), Escaped(secret, first, step, "%%%02X"),
            Escaped(secret, first, step, "\\u%04x"), Escaped(secret, first, step, "\\u%04X"),
            Escaped(secret, first, step, "\\x%02x"), Escaped(secret, first, step, "\\u{%x}"),
            Escaped(secret, first, step, "&#%d;"), Escaped(secret, first, step, "&#x%X;")}) {
        EXPECT_EQ(Redacted("<" + text + ">"), "<REDACTED>") << text;
      }
    }
  }
  EXPECT_EQ(Redacted(R"(<Canary-token_that+opens\/nothing-0123456789>)"), "<REDACTED>");
}

TEST(SecretFinder, FindsOneWhoseEscapesAreEscaped) {
  const std::string once = Escaped(kToken, 0, 5, "%%%02x");
  for (const std::string& text :
       {Escaped(kToken, 0, 5, "%%25%02x"), Escaped(kToken, 0, 5, "%%2525%02x"),
        Escaped(kToken, 2, 7, "\\\\u%04x"), Escaped(kToken, 2, 7, "\\\\\\\\u%04x"),
        Escaped(kToken, 0, 5, "\\u0025%02x"), Escaped(kToken, 0, 5, "&#37;%02x"),
        Escaped(kToken, 0, 5, "%%5Cu%04x")}) {
    EXPECT_EQ(Redacted("<" + text + ">"), "<REDACTED>") << text;
  }
}

TEST(SecretFinder, FindsOneInBase64WhateverStandsAroundIt) {
  for (const std::string before : {"", "a", "ab", "Authorization: Bearer ", "me@example.com:"}) {
    for (const std::string after : {"", "x", "xy", "xyz"}) {
      const std::string whole = before + kToken + after;
      for (const std::string& text :
           {absl::Base64Escape(whole), absl::WebSafeBase64Escape(whole)}) {
        EXPECT_THAT(Redacted("<" + text + ">"), testing::HasSubstr("REDACTED")) << text;
        // Two characters at either side may also say something of what stands around it.
        EXPECT_LE(Redacted(text).size(), text.size() - 4 * (sizeof(kToken) - 1) / 3 + 8 + 4);
      }
    }
  }
}

TEST(SecretFinder, FindsOneInHexadecimalDigits) {
  EXPECT_EQ(Redacted("x" + absl::BytesToHexString(kToken) + "y"), "xREDACTEDy");
  EXPECT_EQ(Redacted("x" + absl::AsciiStrToUpper(absl::BytesToHexString(kToken))), "xREDACTED");
}

TEST(SecretFinder, FindsEachOfSeveral) {
  const SecretFinder finder({"key0key0key0key0key0", "me@example.com"});
  EXPECT_EQ(Redacted("key0key0key0key0key0&Me%40example.com", finder), "REDACTED&REDACTED");
  EXPECT_EQ(Redacted("me@example.comkey0key0key0key0key0", finder), "REDACTEDREDACTED");
}

TEST(SecretFinder, LeavesOtherTextsAsTheyAre) {
  for (const std::string text :
       {"", "nothing", "100 % of \\u0072 &#99; %zz %4", "Canary-token_that+opens/nothing-012345678",
        "anary-token_that+opens/nothing-0123456789", "%", "\\", "\\u", "&#", "%2", "&#;",
        "Canary-token_that opens/nothing-0123456789"}) {
    EXPECT_EQ(Redacted(text), text);
  }
  EXPECT_EQ(Redacted("text", SecretFinder({})), "text");
  EXPECT_EQ(Redacted("a b ab", SecretFinder({"ab"})), "a b ab");
}

TEST(SecretFinder, FindsSecretsOfAnyLengthAtAnyPlace) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto letters = [&](size_t size) {
    std::string text;
    // Few different ones, so that much of a form stands in many places.
    while (text.size() < size) text += "abAB01+/-_"[random() % 10];
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string secret = letters(16 + random() % (round % 10 == 0 ? 600 : 40));
    const SecretFinder finder({secret});
    std::string text = letters(random() % 300);
    const std::string rest = letters(random() % 300);
    const std::string form = round % 3 == 0 ? secret
                             : round % 3 == 1
                                 ? Escaped(secret, random() % secret.size(), 4, "%%%02x")
                                 : absl::BytesToHexString(secret);
    text += " " + form + " " + rest;
    std::string clean = Redacted(text, finder);
    ASSERT_THAT(clean, testing::HasSubstr(" REDACTED ")) << text;
    ASSERT_FALSE(finder.Redact(clean)) << "nothing is left: " << clean;
  }
}

}  // namespace
}  // namespace pcap_gateway
