// Table: labels on the left, values aligned on the right, for people.
//
//   Table table;
//   table.Row("Status", "complete");
//   table.Section("Filter");
//   table.SubRow("Source port", "443");
//   std::cout << table.Text();
//
// prints
//
//   Status         complete
//   Filter
//     Source port  443
//
// Whatever it is given is made safe for a terminal.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_TABLE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/pcapctl/palette.h"

namespace pcap_client {

class Table {
 public:
  void Row(absl::string_view label, absl::string_view value, Tone tone = Tone::kPlain);

  // A heading for the SubRows that follow.
  void Section(absl::string_view label);

  // A Row that is indented.
  void SubRow(absl::string_view label, absl::string_view value);

  // All lines, each ended by a newline. A label that is much longer than the others does not push
  // their values aside.
  std::string Text(const Palette& palette = Palette()) const;

 private:
  struct Line {
    std::string label;  // with its indent
    std::string value;
    Tone tone = Tone::kPlain;
  };

  std::vector<Line> lines_;
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_TABLE_H_
