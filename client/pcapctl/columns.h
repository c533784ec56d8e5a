// Columns: one line an item under headings, for people.
//
//   Columns columns({"ID", "STATUS"});
//   columns.Add({{"3d2b8c5f…"}, {"complete", Tone::kGood}});
//   std::cout << columns.Text(palette);
//
// Whatever it is given is made safe for a terminal.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_COLUMNS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_COLUMNS_H_

#include <string>
#include <vector>

#include "client/pcapctl/palette.h"

namespace pcap_client {

class Columns {
 public:
  struct Cell {
    std::string text;  // empty: shown as "-"
    Tone tone = Tone::kPlain;
  };

  explicit Columns(const std::vector<std::string>& headings);

  // As many cells as there are headings.
  void Add(std::vector<Cell> line);

  // All lines, headings first, each ended by a newline and with no blanks at its end.
  std::string Text(const Palette& palette = Palette()) const;

 private:
  std::vector<std::vector<Cell>> lines_;
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_COLUMNS_H_
