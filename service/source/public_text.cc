#include "service/source/public_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/source/redaction.h"

namespace pcap_gateway {
namespace {

constexpr auto npos = absl::string_view::npos;

constexpr absl::string_view kEllipsis = "...";

// More than any message is cut to in the end, and little enough to be worked on without thought.
constexpr size_t kMostInputBytes = 4096;

// Bytes of `text` that are whole characters and no more than `most`.
size_t WholeCharacters(absl::string_view text, size_t most) {
  if (text.size() <= most) return text.size();
  // 10xxxxxx continues a character.
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return most;
}

// Length of the tag at the start of `text`; 0 if there is none. A tag that is never closed reaches
// to the end.
size_t TagLength(absl::string_view text) {
  if (text.size() < 2 || text[0] != '<') return 0;
  const char next = text[1];
  if (!absl::ascii_isalpha(next) && next != '/' && next != '!' && next != '?') return 0;
  const size_t end = text.find('>');
  return end == npos ? text.size() : end + 1;
}

// Length of what reads as a space at the start of `text`, or would do harm on a terminal; 0 if
// there is no such thing.
size_t BlankLength(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first <= ' ' || first == 0x7F) return 1;
  if (first == 0xC2 && text.size() > 1) {
    return static_cast<unsigned char>(text[1]) <= 0xA0 ? 2 : 0;  // U+0080 to U+00A0
  }
  // U+200B to U+200F, U+2028 to U+202F: widths, lines, directions. U+2066 to U+2069: directions.
  // U+061C, U+FEFF: a direction, a byte order mark.
  if (absl::StartsWith(text, "\xE2\x80") && text.size() > 2) {
    const auto third = static_cast<unsigned char>(text[2]);
    return (third >= 0x8B && third <= 0x8F) || (third >= 0xA8 && third <= 0xAF) ? 3 : 0;
  }
  if (absl::StartsWith(text, "\xE2\x81") && text.size() > 2) {
    const auto third = static_cast<unsigned char>(text[2]);
    return third >= 0xA6 && third <= 0xA9 ? 3 : 0;
  }
  if (absl::StartsWith(text, "\xD8\x9C")) return 2;
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) return 3;
  return 0;
}

}  // namespace

std::string PublicText(absl::string_view text, size_t most_bytes) {
  text = text.substr(0, WholeCharacters(text, kMostInputBytes));
  // Redaction comes first: it must see names and values as they stand.
  const std::string redacted = RedactText(text);
  std::string out;
  for (absl::string_view rest = redacted; !rest.empty();) {
    if (const size_t gap = std::max(TagLength(rest), BlankLength(rest)); gap > 0) {
      if (!out.empty() && out.back() != ' ') out += ' ';
      rest.remove_prefix(gap);
    } else {
      out += rest.front();
      rest.remove_prefix(1);
    }
  }
  absl::StripTrailingAsciiWhitespace(&out);
  if (out.size() > most_bytes) {
    out.resize(WholeCharacters(out, most_bytes - kEllipsis.size()));
    absl::StrAppend(&out, kEllipsis);
  }
  return out;
}

}  // namespace pcap_gateway
