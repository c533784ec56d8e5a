#include "client/pcapctl/watch_command.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/pcapctl/pcap_id.h"
#include "client/pcapctl/print_change.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/print_yaml.h"
#include "client/pcapctl/terminal_text.h"
#include "client/pcapctl/wait_command.h"
#include "pcap_client/pcap_id.h"

namespace pcap_client {
namespace {

absl::StatusOr<std::string> TextOf(const pcap::v1::WatchPcapsResponse& message, OutputFormat output,
                                   const Palette& palette) {
  switch (output) {
    case OutputFormat::kTable:
    case OutputFormat::kWide:
      return ChangeLine(message.pcap(), absl::Now(), palette);
    case OutputFormat::kName:
      return TerminalText(IdOf(message.pcap())) + "\n";
    case OutputFormat::kJson:
    case OutputFormat::kJsonl:
    case OutputFormat::kYaml:
      break;
  }
  const absl::StatusOr<std::string> json = CompactJson(message);
  if (!json.ok()) return json.status();
  return output == OutputFormat::kYaml ? YamlOfJson(*json) : *json + "\n";
}

}  // namespace

int Watch(const Session& session, const WatchArguments& arguments) {
  pcap::v1::WatchPcapsRequest request;
  request.set_account_id(session.account_id);
  for (const std::string& typed : arguments.pcap_ids) {
    const absl::StatusOr<std::string> id = FoldedId(typed);
    if (!id.ok()) return Fail(id.status());
    request.add_pcap_ids(*id);
  }
  CallOptions options = session.call;
  options.timeout = arguments.timeout;
  WatchStream stream = session.client.WatchPcaps(request, options);
  int exit_code = 0;
  for (const pcap::v1::WatchPcapsResponse& message : stream) {
    const absl::StatusOr<std::string> text = TextOf(message, arguments.output, session.console.out);
    if (!text.ok()) return Fail(text.status());
    if (const int code = PrintAndExit(*text); code != 0) return code;
    if (StatusOf(message.pcap()) == pcap::v1::PCAP_STATUS_FAILED && !arguments.pcap_ids.empty()) {
      exit_code = kCaptureFailed;
    }
  }
  if (!stream.Outcome().ok()) return Fail(session.console.Explained(stream.Outcome().error()));
  return exit_code;
}

}  // namespace pcap_client
