// Progress: what `pcapctl wait` tells while it waits, on stderr. On a terminal one line that is
// written over; elsewhere a line for each change.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PROGRESS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PROGRESS_H_

#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_client {

class Progress {
 public:
  // `out` outlives the object.
  Progress(std::ostream& out, bool is_terminal) : out_(out), is_terminal_(is_terminal) {}

  // Takes the line away.
  ~Progress();

  // How things stand `elapsed` after the beginning. On a terminal `now` is shown, with the time;
  // elsewhere `changes`, lines each ended by a newline, which may be empty.
  void Show(absl::string_view now, const std::string& changes, absl::Duration elapsed);

  // Takes the line away until the next Show, so that something else can be written.
  void Clear();

 private:
  std::ostream& out_;
  const bool is_terminal_;
  bool shown_ = false;
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PROGRESS_H_
