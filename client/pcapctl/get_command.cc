#include "client/pcapctl/get_command.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/pcapctl/ask_all.h"
#include "client/pcapctl/pcap_id.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/print_table.h"
#include "client/pcapctl/print_yaml.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

std::string NamesOf(const std::vector<PcapRow>& rows) {
  std::string names;
  for (const PcapRow& row : rows) {
    if (row.answer == nullptr) continue;
    const pcap::v1::Pcap& pcap = row.answer->response.pcap();
    const std::string& own = pcap.has_full() ? pcap.full().id() : pcap.simple().id();
    absl::StrAppend(&names, TerminalText(own.empty() ? row.id : own), "\n");
  }
  return names;
}

absl::StatusOr<std::string> JsonOf(const std::vector<PcapRow>& rows, Shape shape,
                                   OutputFormat format) {
  std::vector<std::string> documents;
  for (const PcapRow& row : rows) {
    if (row.answer == nullptr) continue;
    absl::StatusOr<std::string> document = format == OutputFormat::kYaml
                                               ? PcapYaml(row.answer->response)
                                               : CompactJson(row.answer->response);
    if (!document.ok()) return document.status();
    documents.push_back(*std::move(document));
  }
  if (format == OutputFormat::kYaml) return absl::StrJoin(documents, "");
  if (format == OutputFormat::kJsonl) {
    for (std::string& document : documents) document += '\n';
    return absl::StrJoin(documents, "");
  }
  if (shape == Shape::kOne) return documents.empty() ? "" : IndentedJson(documents.front());
  return IndentedJson(absl::StrCat("[", absl::StrJoin(documents, ","), "]"));
}

}  // namespace

google::protobuf::Duration ProtoDuration(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

pcap::v1::GetPcapRequest RequestFor(const std::string& pcap_id, const PcapArguments& arguments) {
  pcap::v1::GetPcapRequest request;
  request.set_account_id(arguments.account_id);
  request.set_pcap_id(FoldedId(pcap_id).value_or(pcap_id));
  if (arguments.max_age.has_value()) {
    *request.mutable_max_age() = ProtoDuration(*arguments.max_age);
  }
  return request;
}

absl::StatusOr<std::string> TextOf(const std::vector<PcapRow>& rows, Shape shape,
                                   OutputFormat format, const Console& console) {
  switch (format) {
    case OutputFormat::kTable:
      if (shape == Shape::kList) return PcapList(rows, ListWidth::kUsual, absl::Now(), console.out);
      return rows.front().answer == nullptr
                 ? ""
                 : PcapTable(*rows.front().answer, absl::Now(), console.out);
    case OutputFormat::kWide:
      return PcapList(rows, ListWidth::kWide, absl::Now(), console.out);
    case OutputFormat::kName:
      return NamesOf(rows);
    case OutputFormat::kJson:
    case OutputFormat::kJsonl:
    case OutputFormat::kYaml:
      break;
  }
  return JsonOf(rows, shape, format);
}

int Get(const PcapClient& client, const PcapArguments& arguments, const CallOptions& options,
        const Console& console) {
  std::vector<pcap::v1::GetPcapRequest> requests;
  requests.reserve(arguments.pcap_ids.size());
  for (const std::string& id : arguments.pcap_ids) requests.push_back(RequestFor(id, arguments));
  int exit_code = 0;
  std::vector<std::optional<GetPcapAnswer>> answers(requests.size());
  std::vector<PcapRow> rows;
  rows.reserve(requests.size());
  AskAll(client, requests, options, [&](size_t index, CallResult<GetPcapAnswer> result) {
    PcapRow row{.id = requests[index].pcap_id()};
    if (result.ok()) {
      row.answer = &answers[index].emplace(*std::move(result));
    } else {
      const CallError error = console.Explained(result.error());
      const int code = Fail(error, requests.size() > 1 ? arguments.pcap_ids[index] : "");
      if (exit_code == 0) exit_code = code;
      row.error = error.reason.empty() ? absl::StatusCodeToString(error.code) : error.reason;
    }
    rows.push_back(std::move(row));
  });
  const absl::StatusOr<std::string> text = TextOf(rows, ShapeOf(rows), arguments.output, console);
  if (!text.ok()) return Fail(text.status());
  return text->empty() ? exit_code : PrintAndExit(*text, exit_code);
}

}  // namespace pcap_client
