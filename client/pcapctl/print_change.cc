#include "client/pcapctl/print_change.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/print_table.h"
#include "client/pcapctl/terminal_text.h"
#include "pcap_client/pcap_id.h"

namespace pcap_client {
namespace {

using pcap::v1::Pcap;

// As wide as the widest, conversion_running.
constexpr int kStatusWidth = 18;

std::string FormText(const Pcap& pcap) {
  if (pcap.has_simple()) return "simple";
  return pcap.has_full() ? "full" : "?";
}

std::string Status(const Pcap& pcap) {
  const pcap::v1::PcapStatus status = StatusOf(pcap);
  return status == pcap::v1::PCAP_STATUS_UNSPECIFIED ? "-" : StatusText(status);
}

// What is to say beside the status; empty: nothing.
std::string Detail(const Pcap& pcap) {
  const pcap::v1::FullPcap& full = pcap.full();
  std::string detail;
  if (full.has_packets_captured()) {
    absl::StrAppend(&detail, full.packets_captured(),
                    full.packets_captured() == 1 ? " packet" : " packets");
  }
  if (!full.error_message().empty()) {
    absl::StrAppend(&detail, detail.empty() ? "" : ", ", full.error_message());
  }
  return TerminalText(detail);
}

}  // namespace

std::string ChangeLine(const Pcap& pcap, absl::Time now, const Palette& palette) {
  const std::string status = Status(pcap);
  const std::string detail = Detail(pcap);
  std::string line = absl::StrCat(
      absl::FormatTime("%H:%M:%S", now, absl::UTCTimeZone()), "  ", TerminalText(IdOf(pcap)), "  ",
      absl::StrFormat("%-6s", FormText(pcap)), "  ", palette.Paint(status, ToneOf(StatusOf(pcap))));
  if (!detail.empty()) {
    const int blanks = kStatusWidth - static_cast<int>(status.size());
    absl::StrAppend(&line, std::string(blanks > 0 ? static_cast<size_t>(blanks) : 0, ' '), "  ",
                    detail);
  }
  return line + "\n";
}

std::string StateText(const Pcap& pcap) {
  const std::string detail = Detail(pcap);
  return absl::StrCat(Status(pcap), detail.empty() ? "" : ", ", detail);
}

}  // namespace pcap_client
