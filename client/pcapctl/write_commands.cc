#include "client/pcapctl/write_commands.h"

#include <iostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/pcapctl/get_command.h"
#include "client/pcapctl/pcap_id.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/print_yaml.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

// Whether the call may have done what it was to do.
bool MayHaveHappened(const CallError& error) {
  if (error.no_connection) return false;
  return error.code == absl::StatusCode::kUnknown ||
         error.code == absl::StatusCode::kDeadlineExceeded ||
         error.code == absl::StatusCode::kUnavailable || error.code == absl::StatusCode::kCancelled;
}

}  // namespace

int ShowRequest(const google::protobuf::Message& request, OutputFormat output) {
  absl::StatusOr<std::string> text = CompactJson(request);
  if (text.ok() && output == OutputFormat::kYaml) {
    text = YamlOfJson(*text);
  } else if (text.ok()) {
    text = output == OutputFormat::kJsonl ? *text + "\n" : IndentedJson(*text);
  }
  return text.ok() ? PrintAndExit(*text) : Fail(text.status());
}

CallResult<CreatePcapAnswer> CreateOrTell(const Session& session,
                                          const pcap::v1::CreatePcapRequest& request,
                                          int& exit_code) {
  CallResult<CreatePcapAnswer> result = session.client.CreatePcap(request, session.call);
  if (result.ok()) return result;
  exit_code = Fail(session.console.Explained(result.error()));
  if (MayHaveHappened(result.error())) {
    std::cerr << "pcapctl: there may be a capture now. The same command with --request-id "
              << TerminalText(request.request_id())
              << ", within ten minutes, makes no second one\n";
  }
  return result;
}

int Create(const Session& session, const pcap::v1::CreatePcapRequest& request,
           OutputFormat output) {
  int exit_code = 0;
  const CallResult<CreatePcapAnswer> result = CreateOrTell(session, request, exit_code);
  if (!result.ok()) return exit_code;
  GetPcapAnswer answer{.info = result->info};
  *answer.response.mutable_pcap() = result->response.pcap();
  *answer.response.mutable_messages() = result->response.messages();
  const absl::StatusOr<std::string> text =
      TextOf({{.answer = &answer}}, Shape::kOne, output, session.console);
  return text.ok() ? PrintAndExit(*text) : Fail(text.status());
}

int Stop(const Session& session, const std::vector<std::string>& pcap_ids, bool dry_run,
         OutputFormat output) {
  int exit_code = 0;
  const auto note = [&](int code) {
    if (exit_code == 0) exit_code = code;
  };
  for (const std::string& typed : pcap_ids) {
    const absl::StatusOr<std::string> id = FoldedId(typed);
    if (!id.ok()) {
      note(Fail(id.status()));
      continue;
    }
    pcap::v1::StopPcapRequest request;
    request.set_account_id(session.account_id);
    request.set_pcap_id(*id);
    if (dry_run) {
      note(ShowRequest(request, output));
      continue;
    }
    const CallResult<StopPcapAnswer> result = session.client.StopPcap(request, session.call);
    if (!result.ok()) {
      note(Fail(session.console.Explained(result.error()), pcap_ids.size() > 1 ? typed : ""));
      continue;
    }
    note(PrintAndExit(*id + "\n"));
  }
  return exit_code;
}

}  // namespace pcap_client
