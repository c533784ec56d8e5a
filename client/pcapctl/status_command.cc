#include "client/pcapctl/status_command.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/pcapctl/http_get.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/print_status.h"
#include "client/pcapctl/print_yaml.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

using State = ServiceHealth::State;

State StateOf(const CallResult<Health>& health) {
  if (!health.ok()) {
    return health.error().code == absl::StatusCode::kNotFound ? State::kNotThere : State::kNoAnswer;
  }
  switch (*health) {
    case Health::kServing:
      return State::kServing;
    case Health::kNotServing:
      return State::kNotServing;
    case Health::kUnknown:
      break;
  }
  return State::kNotKnown;
}

absl::StatusOr<std::string> TextOf(const GatewayStatus& status, OutputFormat format,
                                   const Palette& palette) {
  switch (format) {
    case OutputFormat::kJson:
      return IndentedJson(StatusJson(status));
    case OutputFormat::kJsonl:
      return StatusJson(status) + "\n";
    case OutputFormat::kYaml:
      return YamlOfJson(StatusJson(status));
    case OutputFormat::kName:
      return TerminalText(status.address) + "\n";
    case OutputFormat::kTable:
    case OutputFormat::kWide:  // has all of it as it is
      break;
  }
  return StatusTable(status, absl::Now(), palette);
}

}  // namespace

int ShowStatus(const PcapClient& client, const StatusArguments& arguments, const Console& console) {
  GatewayStatus status{.address = arguments.address,
                       .report = absl::InvalidArgumentError(
                           "--admin-address says where a gateway elsewhere has them")};
  for (const char* const service : {"", "pcap.v1.PcapService"}) {
    const CallResult<Health> health = client.CheckHealth(service);
    status.services.push_back({.service = service, .state = StateOf(health)});
    // Who did not answer the first question will not answer the second.
    if (status.services.back().state == State::kNoAnswer) {
      Fail(console.Explained(health.error()));
      break;
    }
  }
  if (!arguments.admin_address.empty()) {
    status.report = HttpGet(arguments.admin_address, "/status.json", arguments.timeout);
    if (arguments.admin_address_is_a_guess && status.report.ok() &&
        !MayBeReportOf(arguments.address, *status.report)) {
      status.report = absl::NotFoundError(
          absl::StrCat(arguments.admin_address,
                       " is another gateway's; --admin-address says where this one has them"));
    }
  }
  const absl::StatusOr<std::string> text = TextOf(status, arguments.output, console.out);
  if (!text.ok()) return Fail(text.status());
  return PrintAndExit(*text, status.serving() ? 0 : ExitCode(absl::StatusCode::kUnavailable));
}

}  // namespace pcap_client
