#include "client/pcapctl/palette.h"

#include "absl/strings/str_cat.h"

namespace pcap_client {
namespace {

// ECMA-48 "select graphic rendition": the terminal's own eight colours, which its user chose.
const char* SequenceOf(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return "\x1b[32m";
    case Tone::kBad:
      return "\x1b[31m";
    case Tone::kBusy:
      return "\x1b[33m";
    case Tone::kFaint:
      return "\x1b[2m";
    case Tone::kPlain:
      break;
  }
  return "";
}

}  // namespace

std::string Palette::Paint(absl::string_view text, Tone tone) const {
  if (!on_ || tone == Tone::kPlain || text.empty()) return std::string(text);
  return absl::StrCat(SequenceOf(tone), text, "\x1b[0m");
}

bool WantsColour(ColourChoice choice, bool is_terminal,
                 const std::function<const char*(const char*)>& environment) {
  if (choice != ColourChoice::kAuto) return choice == ColourChoice::kAlways;
  const char* const no_color = environment("NO_COLOR");
  const char* const terminal = environment("TERM");
  const bool dumb = terminal != nullptr && absl::string_view(terminal) == "dumb";
  return is_terminal && !dumb && (no_color == nullptr || *no_color == '\0');
}

Tone ToneOf(pcap::v1::PcapStatus status) {
  switch (status) {
    case pcap::v1::PCAP_STATUS_SUCCESS:
    case pcap::v1::PCAP_STATUS_COMPLETE:
      return Tone::kGood;
    case pcap::v1::PCAP_STATUS_FAILED:
      return Tone::kBad;
    case pcap::v1::PCAP_STATUS_PENDING:
    case pcap::v1::PCAP_STATUS_RUNNING:
    case pcap::v1::PCAP_STATUS_CONVERSION_PENDING:
    case pcap::v1::PCAP_STATUS_CONVERSION_RUNNING:
      return Tone::kBusy;
    default:
      return Tone::kPlain;
  }
}

}  // namespace pcap_client
