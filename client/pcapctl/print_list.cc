#include "client/pcapctl/print_list.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/pcapctl/columns.h"
#include "client/pcapctl/print_table.h"

namespace pcap_client {
namespace {

using pcap::v1::Pcap;
using pcap::v1::PcapStatus;

Columns::Cell StatusCell(PcapStatus status) {
  if (status == pcap::v1::PCAP_STATUS_UNSPECIFIED) return {};
  return {StatusText(status), ToneOf(status)};
}

template <typename Form>
Columns::Cell SubmittedCell(const Form& form) {
  if (!form.has_submitted()) return {};
  return {TimeText(form.submitted())};
}

std::vector<Columns::Cell> LineOf(const Pcap& pcap) {
  switch (pcap.form_case()) {
    case Pcap::kSimple:
      return {{pcap.simple().id()},         {"simple"}, StatusCell(pcap.simple().status()),
              SubmittedCell(pcap.simple()), {},         {}};
    case Pcap::kFull: {
      const auto& full = pcap.full();
      return {{full.id()},
              {"full"},
              StatusCell(full.status()),
              SubmittedCell(full),
              {full.has_packets_captured() ? absl::StrCat(full.packets_captured()) : ""},
              {full.colo_name()}};
    }
    case Pcap::FORM_NOT_SET:
      break;
  }
  return {{}, {"not known"}, {}, {}, {}, {}};
}

}  // namespace

std::string PcapList(const std::vector<const GetPcapAnswer*>& answers, const Palette& palette) {
  Columns columns({"ID", "FORM", "STATUS", "SUBMITTED", "PACKETS", "DATA CENTER"});
  for (const GetPcapAnswer* const answer : answers) columns.Add(LineOf(answer->response.pcap()));
  return columns.Text(palette);
}

PcapStatus StatusOf(const Pcap& pcap) {
  if (pcap.has_simple()) return pcap.simple().status();
  if (pcap.has_full()) return pcap.full().status();
  return pcap::v1::PCAP_STATUS_UNSPECIFIED;
}

}  // namespace pcap_client
