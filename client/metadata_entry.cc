#include "client/metadata_entry.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pcap_client {

bool IsPrintableAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isprint(c); });
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text.front());
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || text.size() < length) return false;
    uint32_t code = length == 1 ? lead : lead & (0xFFu >> (length + 1));
    for (const char c : text.substr(1, length - 1)) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte & 0xC0) != 0x80) return false;
      code = code << 6 | (byte & 0x3F);
    }
    if (length == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) return false;
    if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string WhatIsWrongWithEntry(absl::string_view key, absl::string_view value) {
  const std::string name = absl::StrCat("metadata key \"", absl::CHexEscape(key), "\"");
  const bool plain = std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
  });
  if (key.empty() || !plain) return absl::StrCat(name, " is not of [0-9a-z_.-]");
  if (absl::StartsWith(key, "grpc-")) return absl::StrCat(name, " is reserved for gRPC itself");
  if (!IsPrintableAscii(value)) {
    return absl::StrCat("the value of ", name, " is not printable ASCII");
  }
  return "";
}

}  // namespace pcap_client
