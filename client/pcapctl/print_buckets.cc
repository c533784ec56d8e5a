#include "client/pcapctl/print_buckets.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/pcapctl/age.h"
#include "client/pcapctl/columns.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/print_table.h"
#include "client/pcapctl/print_yaml.h"
#include "client/pcapctl/table.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

using pcap::v1::Ownership;

Tone ToneOf(pcap::v1::OwnershipStatus status) {
  switch (status) {
    case pcap::v1::OWNERSHIP_STATUS_SUCCESS:
      return Tone::kGood;
    case pcap::v1::OWNERSHIP_STATUS_FAILED:
      return Tone::kBad;
    case pcap::v1::OWNERSHIP_STATUS_PENDING:
      return Tone::kBusy;
    default:
      return Tone::kPlain;
  }
}

Columns::Cell StatusCell(const Ownership& ownership) {
  if (ownership.status() == pcap::v1::OWNERSHIP_STATUS_UNSPECIFIED) return {};
  return {OwnershipStatusText(ownership.status()), ToneOf(ownership.status())};
}

std::string ListText(const std::vector<Ownership>& ownerships, bool is_wide, absl::Time now,
                     const Palette& palette) {
  std::vector<std::string> headings = {"ID", "STATUS", "AGE", "BUCKET", "FILE"};
  if (is_wide) headings.insert(headings.end(), {"SUBMITTED", "VALIDATED"});
  Columns columns(headings);
  for (const Ownership& one : ownerships) {
    const absl::Time submitted = absl::FromUnixSeconds(one.submitted().seconds());
    std::vector<Columns::Cell> line = {{one.id()},
                                       StatusCell(one),
                                       {one.has_submitted() ? AgeText(submitted, now) : ""},
                                       {one.destination_conf()},
                                       {one.filename()}};
    if (is_wide) {
      line.push_back({one.has_submitted() ? TimeText(one.submitted()) : ""});
      line.push_back({one.has_validated() ? TimeText(one.validated()) : ""});
    }
    columns.Add(std::move(line));
  }
  return columns.Text(palette);
}

std::string TableText(const Ownership& one, absl::Time now, const Palette& palette) {
  Table table;
  if (one.has_id()) table.Row("Id", one.id());
  if (const Columns::Cell status = StatusCell(one); !status.text.empty()) {
    table.Row("Status", status.text, status.tone);
  }
  if (one.has_destination_conf()) table.Row("Bucket", one.destination_conf());
  if (one.has_filename()) table.Row("File", one.filename());
  if (one.has_submitted()) table.Row("Submitted", WithAge(TimeText(one.submitted()), now));
  if (one.has_validated()) table.Row("Validated", WithAge(TimeText(one.validated()), now));
  return table.Text(palette);
}

}  // namespace

absl::StatusOr<std::string> BucketsText(const std::vector<Ownership>& ownerships, bool is_list,
                                        OutputFormat format, absl::Time now,
                                        const Palette& palette) {
  if (format == OutputFormat::kWide || (format == OutputFormat::kTable && is_list)) {
    return ListText(ownerships, format == OutputFormat::kWide, now, palette);
  }
  if (format == OutputFormat::kTable) return TableText(ownerships.front(), now, palette);
  std::vector<std::string> documents;
  for (const Ownership& one : ownerships) {
    if (format == OutputFormat::kName) {
      documents.push_back(TerminalText(one.id()) + "\n");
      continue;
    }
    pcap::v1::CreateOwnershipResponse document;
    *document.mutable_ownership() = one;
    absl::StatusOr<std::string> text = CompactJson(document);
    if (text.ok() && format == OutputFormat::kYaml) text = YamlOfJson(*text);
    if (!text.ok()) return text.status();
    documents.push_back(*text + (format == OutputFormat::kJsonl ? "\n" : ""));
  }
  if (format != OutputFormat::kJson) return absl::StrJoin(documents, "");
  return IndentedJson(is_list ? absl::StrCat("[", absl::StrJoin(documents, ","), "]")
                              : documents.front());
}

std::string OwnershipStatusText(pcap::v1::OwnershipStatus status) {
  const std::string& name = pcap::v1::OwnershipStatus_Name(status);
  if (name.empty()) return absl::StrCat(static_cast<int>(status), " (not known to this pcapctl)");
  return absl::AsciiStrToLower(absl::StripPrefix(name, "OWNERSHIP_STATUS_"));
}

}  // namespace pcap_client
