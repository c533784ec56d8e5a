// Redaction: text stays text, and what has to be hidden is, whatever stands before it.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/source/public_text.h"
#include "service/source/redaction.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  const absl::string_view text = TextOf(data, size);
  if (!IsUtf8(text)) return 0;  // both take valid UTF-8 alone

  Require(IsUtf8(RedactDestination(text)), "a destination stays UTF-8");
  Require(IsUtf8(RedactText(text)), "text stays UTF-8");

  for (const size_t most : {3, 40, 1000}) {
    const std::string shown = PublicText(text, most);
    Require(shown.size() <= most && IsUtf8(shown), "public text is short, and text");
    for (const char c : shown) {
      Require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "without control characters");
    }
  }

  // Canaries after whatever comes before.
  constexpr absl::string_view kCanary = "SeCrEt+0123456789";
  if (absl::StrContains(text, kCanary)) return 0;
  for (const absl::string_view form : {"&secret-access-key=", "&x=", "&%72egion="}) {
    Require(!absl::StrContains(RedactDestination(absl::StrCat("r2://b?", text, form, kCanary)),
                               kCanary),
            "a value of the query is hidden");
  }
  // Words between, as what comes before may end in a name whose value is the next word.
  for (const absl::string_view form :
       {"\nthe key: secret-access-key=", "\nthe key: Authorization: Bearer ",
        "\nthe key: {\"accessKeyId\": \"", "\nthe key: s3://u:k", "\nthe key: r2://b?x="}) {
    const std::string hidden = RedactText(absl::StrCat(text, form, kCanary, "@b"));
    Require(!absl::StrContains(hidden, kCanary), "a secret in free text is hidden");
  }
  return 0;
}
