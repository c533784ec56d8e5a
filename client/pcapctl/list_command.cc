#include "client/pcapctl/list_command.h"

#include <iostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/pcapctl/get_command.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {

int List(const Session& session, std::optional<absl::Duration> max_age, OutputFormat output) {
  pcap::v1::ListPcapsRequest request;
  request.set_account_id(session.account_id);
  if (max_age.has_value()) *request.mutable_max_age() = ProtoDuration(*max_age);
  const CallResult<ListPcapsAnswer> result = session.client.ListPcaps(request, session.call);
  if (!result.ok()) return Fail(session.console.Explained(result.error()));
  // As `get` would have them, so that one filter fits the output of both.
  std::vector<GetPcapAnswer> answers;
  answers.reserve(static_cast<size_t>(result->response.pcaps_size()));
  std::vector<PcapRow> rows;
  for (const pcap::v1::Pcap& pcap : result->response.pcaps()) {
    GetPcapAnswer& answer = answers.emplace_back();
    *answer.response.mutable_pcap() = pcap;
    rows.push_back({.answer = &answer});
  }
  for (const pcap::v1::ResponseInfo& message : result->response.messages()) {
    std::cerr << "pcapctl: Cloudflare says: " << TerminalText(message.message()) << "\n";
  }
  const bool for_people = output == OutputFormat::kTable || output == OutputFormat::kWide;
  if (rows.empty() && for_people) {
    std::cerr << "pcapctl: there are no captures\n";
    return 0;
  }
  const absl::StatusOr<std::string> text = TextOf(rows, Shape::kList, output, session.console);
  return text.ok() ? PrintAndExit(*text) : Fail(text.status());
}

}  // namespace pcap_client
