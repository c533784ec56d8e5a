#include "client/pcapctl/pcap_id.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

constexpr size_t kDigits = 32;
constexpr size_t kMostShown = 64;

bool Continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

absl::StatusOr<std::string> FoldedId(absl::string_view text) {
  const auto wrong = [&](absl::string_view why) {
    const std::string shown = TerminalText(text);
    return absl::InvalidArgumentError(absl::StrCat("`", CutToColumns(shown, kMostShown),
                                                   "` is no id, which is ", kDigits,
                                                   " hex digits: ", why));
  };
  std::string id;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = absl::ascii_tolower(text[at]);
    // Where a UUID has its dashes.
    if (c == '-' && (id.size() == 8 || id.size() == 12 || id.size() == 16 || id.size() == 20)) {
      continue;
    }
    if (!absl::ascii_isxdigit(c)) {
      size_t end = at + 1;
      while (end < text.size() && end < at + 4 && Continues(text[end])) ++end;
      return wrong(absl::StrCat("character ", CodePoints(text.substr(0, at)) + 1, ", `",
                                TerminalText(text.substr(at, end - at)), "`, is none"));
    }
    id += c;
  }
  if (id.size() != kDigits) return wrong(absl::StrCat("it has ", id.size()));
  return id;
}

}  // namespace pcap_client
