// SecretFinder: finds secrets in a text that may repeat them in another form.
//
//   const SecretFinder finder({"canary-token-that-opens-nothing"});
//   std::string text = "who is CANARY%2Dtoken-that-opens-nothing?";
//   if (finder.MayHold(text)) finder.Redact(text);        // "who is REDACTED?"
//
// Forms: as it is, in any case; with any of its characters escaped, as in URIs (`%2D`), in JSON,
// JavaScript and C (`\u002d`, `\x2d`, `\/`) and in HTML and XML (`&#45;`, `&#x2d;`), one escape
// inside another too; in base64, of either alphabet and at any place of a longer text, as in
// `Authorization: Basic`; in hexadecimal digits.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_SECRET_FINDER_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_SECRET_FINDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// Immutable, thread-safe. Never printed.
class SecretFinder {
 public:
  // `secrets`: printable ASCII, no more than 4 KiB each. One of less than three characters is not
  // looked for.
  explicit SecretFinder(const std::vector<absl::string_view>& secrets);

  // False: `text` holds none. Costs a look at some of its characters; true is no more than a
  // suspicion.
  bool MayHold(absl::string_view text) const;

  // Replaces each by "REDACTED". False: there was none. Takes time in proportion to the text.
  bool Redact(std::string& text) const;

 private:
  // Of a text in which secrets are looked for, after so many rounds of taking escapes apart: its
  // characters, and where in the original each begins and the last one ends.
  struct Plain;
  struct Range {
    size_t begin;
    size_t end;
  };

  void AddForms(absl::string_view secret);
  void Find(absl::string_view folded, const Plain* plain, std::vector<Range>& found) const;
  // The length of the form that stands at the start of `folded`; 0: none does.
  size_t FormLength(absl::string_view folded) const;

  std::vector<std::string> forms_;  // folded
  // By the hash of two characters next to one another: how far the end of the shortest form is
  // from where they stand in any form, at the least (Wu and Manber, 1994).
  std::array<uint8_t, 1024> shifts_;
  size_t shortest_ = 0;  // of the forms; 0: there are none
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_SECRET_FINDER_H_
