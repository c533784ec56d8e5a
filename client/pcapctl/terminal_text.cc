#include "client/pcapctl/terminal_text.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace pcap_client {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

// Code points beyond ASCII that do more than print.
constexpr Range kUnsafe[] = {
    {0x80, 0x9F},        // C1: 0x9B begins a terminal command as ESC [ does
    {0xAD, 0xAD},        // soft hyphen
    {0x34F, 0x34F},      // combining grapheme joiner
    {0x61C, 0x61C},      // Arabic letter mark
    {0x115F, 0x1160},    // Hangul fillers
    {0x17B4, 0x17B5},    // Khmer vowels without a shape
    {0x180B, 0x180F},    // Mongolian variation selectors and vowel separator
    {0x200B, 0x200F},    // zero width, and marks of direction
    {0x2028, 0x202E},    // line and paragraph separator, embedding and override of direction
    {0x2060, 0x206F},    // invisible operators, isolates
    {0x3164, 0x3164},    // Hangul filler
    {0xFE00, 0xFE0F},    // variation selectors
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFA0, 0xFFA0},    // half-width Hangul filler
    {0xFFF0, 0xFFFB},    // annotations, and what is ignored by default
    {0x1BCA0, 0x1BCA3},  // shorthand's format controls
    {0x1D173, 0x1D17A},  // music's
    {0xE0000, 0xE0FFF},  // tags, more variation selectors
};

bool IsUnsafe(uint32_t code_point) {
  return std::any_of(std::begin(kUnsafe), std::end(kUnsafe), [=](const Range& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

bool Continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

struct Decoded {
  uint32_t code_point;
  size_t bytes;  // 0: the text does not begin with a valid sequence
};

// The first code point of `text`, which begins with a byte of 0x80 or more (RFC 3629).
Decoded DecodeFirst(absl::string_view text) {
  constexpr Decoded kInvalid = {0, 0};
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t bytes = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < bytes) return kInvalid;
  uint32_t code_point = byte(0) & (0xFF >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if (!Continues(byte(i))) return kInvalid;
    code_point = code_point << 6 | (byte(i) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < kLeast[bytes] || code_point > 0x10FFFF || surrogate) return kInvalid;
  return {code_point, bytes};
}

bool IsWide(uint32_t code_point) {
  // From 0x231A on there are emoji; of the others too much is counted rather than too little.
  return code_point >= 0x231A || (code_point >= 0x1100 && code_point < 0x1160);
}

void AppendAscii(unsigned char c, std::string& safe) {
  switch (c) {
    case '\n':
      safe += "\\n";
      return;
    case '\r':
      safe += "\\r";
      return;
    case '\t':
      safe += "\\t";
      return;
  }
  if (c < 0x20 || c == 0x7F) {
    absl::StrAppendFormat(&safe, "\\x%02x", c);
  } else {
    safe += static_cast<char>(c);
  }
}

}  // namespace

std::string TerminalText(absl::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) {
      AppendAscii(first, safe);
      text.remove_prefix(1);
      continue;
    }
    const Decoded decoded = DecodeFirst(text);
    if (decoded.bytes == 0) {
      absl::StrAppendFormat(&safe, "\\x%02x", first);
      text.remove_prefix(1);
      continue;
    }
    if (IsUnsafe(decoded.code_point)) {
      absl::StrAppendFormat(&safe, "\\u{%x}", decoded.code_point);
    } else {
      safe.append(text.data(), decoded.bytes);
    }
    text.remove_prefix(decoded.bytes);
  }
  return safe;
}

std::string EscapedText(absl::string_view text, Escapes escapes) {
  std::string safe;
  const auto escape = [&](uint32_t code_point) {
    if (code_point <= 0xFFFF) {
      absl::StrAppendFormat(&safe, "\\u%04x", code_point);
    } else if (escapes == Escapes::kYaml) {
      absl::StrAppendFormat(&safe, "\\U%08x", code_point);
    } else {
      // JSON has UTF-16's pairs.
      const uint32_t beyond = code_point - 0x10000;
      absl::StrAppendFormat(&safe, "\\u%04x\\u%04x", 0xD800 + (beyond >> 10),
                            0xDC00 + (beyond & 0x3FF));
    }
  };
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const Decoded decoded = first < 0x80 ? Decoded{first, 1} : DecodeFirst(text);
    if (decoded.bytes == 0) {
      safe += "\xEF\xBF\xBD";
    } else if (first == 0x7F || (first >= 0x80 && IsUnsafe(decoded.code_point)) ||
               (first < 0x20 && first != '\n' && first != '\t')) {
      escape(decoded.code_point);
    } else {
      safe.append(text.data(), decoded.bytes);
    }
    text.remove_prefix(std::max<size_t>(decoded.bytes, 1));
  }
  return safe;
}

std::string CutToColumns(absl::string_view text, size_t columns) {
  size_t used = 0;
  size_t fits = 0;  // bytes that leave room for the ellipsis
  for (size_t at = 0; at < text.size();) {
    const bool ascii = static_cast<unsigned char>(text[at]) < 0x80;
    const Decoded decoded = ascii ? Decoded{0, 1} : DecodeFirst(text.substr(at));
    used += IsWide(decoded.code_point) ? 2 : 1;
    if (used > columns) {
      return columns == 0 ? "" : absl::StrCat(text.substr(0, fits), "…");
    }
    at += std::max<size_t>(decoded.bytes, 1);
    if (used < columns) fits = at;
  }
  return std::string(text);
}

size_t CodePoints(absl::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](unsigned char byte) { return !Continues(byte); });
}

}  // namespace pcap_client
