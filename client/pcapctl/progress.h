// Progress: what `pcapctl wait` tells while it waits, on stderr. On a terminal one line that is
// written over, and that is cut to the terminal's width, as a longer one could not be taken away;
// elsewhere a line for each change. What failed has a line that stays, on both.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PROGRESS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PROGRESS_H_

#include <cstddef>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_client {

class Progress {
 public:
  // `out` outlives the object.
  // `width` tells how many columns the terminal has now; 0: not known.
  Progress(std::ostream& out, bool is_terminal, std::function<size_t()> width)
      : out_(out), is_terminal_(is_terminal), width_(std::move(width)) {}

  // Takes the line away.
  ~Progress();

  // Leaves `lines`, each ended by a newline, on the terminal or elsewhere; may be empty.
  void Note(const std::string& lines);

  // How things stand `elapsed` after the beginning. On a terminal `now` is shown, with the time;
  // elsewhere `changes`, lines each ended by a newline, which may be empty.
  void Show(absl::string_view now, const std::string& changes, absl::Duration elapsed);

  // Takes the line away until the next Show, so that something else can be written.
  void Clear();

 private:
  std::ostream& out_;
  const bool is_terminal_;
  const std::function<size_t()> width_;
  bool shown_ = false;
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PROGRESS_H_
