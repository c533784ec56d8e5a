// Palette: colours on a terminal that wants them, and nothing elsewhere.
//
//   Palette palette(WantsColour(choice, isatty(STDOUT_FILENO), getenv));
//   std::cout << palette.Paint("complete", Tone::kGood);
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PALETTE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PALETTE_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_client {

// What a text means, which is what it is coloured by.
enum class Tone { kPlain, kGood, kBad, kBusy, kFaint };

class Palette {
 public:
  // Paints nothing.
  Palette() = default;
  explicit Palette(bool on) : on_(on) {}

  // `text` between the escapes that begin and end its colour.
  std::string Paint(absl::string_view text, Tone tone) const;

 private:
  bool on_ = false;
};

enum class ColourChoice { kAuto, kAlways, kNever };

// kAuto: on a terminal that is not dumb, unless NO_COLOR is set to anything (no-color.org).
// `environment` looks a variable up; nullptr where it is not set.
bool WantsColour(ColourChoice choice, bool is_terminal,
                 const std::function<const char*(const char*)>& environment);

Tone ToneOf(pcap::v1::PcapStatus status);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PALETTE_H_
