#include "client/metadata_entry.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pcap_client {

bool IsPrintableAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isprint(c); });
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
