#include "client/pcapctl/get_command.h"

#include <utility>

#include "client/pcapctl/ask_all.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/print_table.h"
#include "client/pcapctl/print_yaml.h"

namespace pcap_client {
namespace {

google::protobuf::Duration ProtoDuration(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

std::string TableOf(const std::vector<const GetPcapAnswer*>& answers, const Palette& palette) {
  return answers.size() == 1 ? PcapTable(*answers.front(), palette) : PcapList(answers, palette);
}

}  // namespace

pcap::v1::GetPcapRequest RequestFor(const std::string& pcap_id, const PcapArguments& arguments) {
  pcap::v1::GetPcapRequest request;
  request.set_account_id(arguments.account_id);
  request.set_pcap_id(pcap_id);
  if (arguments.max_age.has_value()) {
    *request.mutable_max_age() = ProtoDuration(*arguments.max_age);
  }
  return request;
}

absl::StatusOr<std::string> TextOf(const std::vector<const GetPcapAnswer*>& answers,
                                   OutputFormat format, const Console& console) {
  if (format == OutputFormat::kTable) return TableOf(answers, console.out);
  std::string text;
  for (const GetPcapAnswer* const answer : answers) {
    const absl::StatusOr<std::string> document =
        format == OutputFormat::kJson ? PcapJson(answer->response) : PcapYaml(answer->response);
    if (!document.ok()) return document.status();
    text += *document;
  }
  return text;
}

int Get(const PcapClient& client, const PcapArguments& arguments, const CallOptions& options,
        const Console& console) {
  std::vector<pcap::v1::GetPcapRequest> requests;
  requests.reserve(arguments.pcap_ids.size());
  for (const std::string& id : arguments.pcap_ids) requests.push_back(RequestFor(id, arguments));
  const bool several = requests.size() > 1;
  int exit_code = 0;
  bool printed = true;
  std::vector<GetPcapAnswer> for_table;
  AskAll(client, requests, options, [&](size_t index, CallResult<GetPcapAnswer> result) {
    if (!result.ok()) {
      const int code =
          Fail(console.Explained(result.error()), several ? arguments.pcap_ids[index] : "");
      if (exit_code == 0) exit_code = code;
      return;
    }
    // A line's columns are as wide as the widest of all; documents need not wait for the others.
    if (several && arguments.output == OutputFormat::kTable) {
      for_table.push_back(*std::move(result));
      return;
    }
    const absl::StatusOr<std::string> text = TextOf({&*result}, arguments.output, console);
    if (!text.ok()) {
      const int code = Fail(text.status());
      if (exit_code == 0) exit_code = code;
      return;
    }
    printed = printed && Print(*text);
  });
  if (!for_table.empty()) {
    std::vector<const GetPcapAnswer*> answers;
    answers.reserve(for_table.size());
    for (const GetPcapAnswer& answer : for_table) answers.push_back(&answer);
    printed = Print(PcapList(answers, console.out));
  }
  return printed ? exit_code : ExitCode(absl::StatusCode::kDataLoss);
}

}  // namespace pcap_client
