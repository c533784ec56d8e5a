#include "client/pcapctl/print_list.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/pcapctl/age.h"
#include "client/pcapctl/columns.h"
#include "client/pcapctl/human_duration.h"
#include "client/pcapctl/print_table.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

using pcap::v1::Pcap;
using pcap::v1::PcapStatus;

constexpr size_t kWidestReason = 60;

std::string DurationText(const google::protobuf::Duration& duration) {
  return HumanDuration(absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos()));
}

// Its cells by heading; a heading that is not there: the field is absent.
using Cells = std::map<std::string, Columns::Cell>;

template <typename Form>
void AddShared(const Form& form, absl::Time now, Cells& cells) {
  if (form.has_id()) cells["ID"] = {form.id()};
  if (form.status() != pcap::v1::PCAP_STATUS_UNSPECIFIED) {
    cells["STATUS"] = {StatusText(form.status()), ToneOf(form.status())};
  }
  if (form.has_submitted()) {
    const auto& at = form.submitted();
    cells["AGE"] = {
        AgeText(absl::FromUnixSeconds(at.seconds()) + absl::Nanoseconds(at.nanos()), now)};
    cells["SUBMITTED"] = {TimeText(at)};
  }
  if (form.has_time_limit()) cells["TIME LIMIT"] = {DurationText(form.time_limit())};
}

Cells CellsOf(const PcapRow& row, absl::Time now) {
  Cells cells = {{"ID", {row.id}}};
  if (!row.error.empty()) cells["REASON"] = {row.error, Tone::kBad};
  if (row.answer == nullptr) return cells;
  const Pcap& pcap = row.answer->response.pcap();
  switch (pcap.form_case()) {
    case Pcap::kSimple:
      cells["FORM"] = {"simple"};
      AddShared(pcap.simple(), now, cells);
      break;
    case Pcap::kFull: {
      const auto& full = pcap.full();
      cells["FORM"] = {"full"};
      AddShared(full, now, cells);
      if (full.has_packets_captured()) cells["PACKETS"] = {absl::StrCat(full.packets_captured())};
      cells["DATA CENTER"] = {full.colo_name()};
      cells["DESTINATION"] = {full.destination_conf()};
      if (full.has_byte_limit()) cells["BYTE LIMIT"] = {absl::StrCat(full.byte_limit())};
      if (!full.error_message().empty()) cells["REASON"] = {full.error_message(), Tone::kBad};
      break;
    }
    case Pcap::FORM_NOT_SET:
      cells["FORM"] = {"not known"};
      break;
  }
  return cells;
}

}  // namespace

std::string PcapList(const std::vector<PcapRow>& rows, ListWidth width, absl::Time now,
                     const Palette& palette) {
  std::vector<std::string> headings = {"ID", "FORM", "STATUS", "AGE", "PACKETS", "DATA CENTER"};
  if (width == ListWidth::kWide) {
    headings.insert(headings.end(), {"SUBMITTED", "TIME LIMIT", "BYTE LIMIT", "DESTINATION"});
  }
  std::vector<Cells> all;
  all.reserve(rows.size());
  bool any_reason = false;
  for (const PcapRow& row : rows) {
    all.push_back(CellsOf(row, now));
    any_reason = any_reason || all.back().contains("REASON");
  }
  if (any_reason) headings.emplace_back("REASON");
  Columns columns(headings);
  for (Cells& cells : all) {
    if (const auto reason = cells.find("REASON");
        reason != cells.end() && width == ListWidth::kUsual) {
      reason->second.text = CutToColumns(TerminalText(reason->second.text), kWidestReason);
    }
    std::vector<Columns::Cell> line;
    line.reserve(headings.size());
    for (const std::string& heading : headings) line.push_back(std::move(cells[heading]));
    columns.Add(std::move(line));
  }
  return columns.Text(palette);
}

PcapStatus StatusOf(const Pcap& pcap) {
  if (pcap.has_simple()) return pcap.simple().status();
  if (pcap.has_full()) return pcap.full().status();
  return pcap::v1::PCAP_STATUS_UNSPECIFIED;
}

}  // namespace pcap_client
