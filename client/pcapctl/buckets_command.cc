#include "client/pcapctl/buckets_command.h"

#include <unistd.h>

#include <iostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/pcapctl/create_request.h"
#include "client/pcapctl/get_command.h"
#include "client/pcapctl/pcap_id.h"
#include "client/pcapctl/print_buckets.h"
#include "client/pcapctl/terminal_text.h"
#include "client/pcapctl/write_commands.h"

namespace pcap_client {
namespace {

using pcap::v1::Ownership;

constexpr size_t kLongestAnswer = 16;

int PrintBuckets(const Session& session, const std::vector<Ownership>& ownerships, bool is_list,
                 OutputFormat output) {
  const absl::StatusOr<std::string> text =
      BucketsText(ownerships, is_list, output, absl::Now(), session.console.out);
  return text.ok() ? PrintAndExit(*text) : Fail(text.status());
}

// Whether somebody at the terminal says yes.
bool Confirmed(const std::string& question) {
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  for (char c = 0; std::cin.get(c) && c != '\n' && answer.size() < kLongestAnswer;) answer += c;
  const std::string word = absl::AsciiStrToLower(absl::StripAsciiWhitespace(answer));
  return word == "y" || word == "yes";
}

}  // namespace

int ListBuckets(const Session& session, std::optional<absl::Duration> max_age,
                OutputFormat output) {
  pcap::v1::ListOwnershipsRequest request;
  request.set_account_id(session.account_id);
  if (max_age.has_value()) *request.mutable_max_age() = ProtoDuration(*max_age);
  const auto result = session.client.ListOwnerships(request, session.call);
  if (!result.ok()) return Fail(session.console.Explained(result.error()));
  const std::vector<Ownership> ownerships(result->response.ownerships().begin(),
                                          result->response.ownerships().end());
  const bool for_people = output == OutputFormat::kTable || output == OutputFormat::kWide;
  if (ownerships.empty() && for_people) {
    std::cerr << "pcapctl: there are no buckets\n";
    return 0;
  }
  return PrintBuckets(session, ownerships, /*is_list=*/true, output);
}

int AddBucket(const Session& session, const std::string& destination_conf,
              const WriteArguments& arguments) {
  pcap::v1::CreateOwnershipRequest request;
  request.set_account_id(session.account_id);
  request.set_destination_conf(destination_conf);
  if (arguments.dry_run) {
    request.set_destination_conf(BucketWithoutSecrets(destination_conf));
    return ShowRequest(request, arguments.output);
  }
  const auto result = session.client.CreateOwnership(request, session.call);
  if (!result.ok()) return Fail(session.console.Explained(result.error()));
  const Ownership& ownership = result->response.ownership();
  const int exit_code = PrintBuckets(session, {ownership}, /*is_list=*/false, arguments.output);
  std::cerr << "pcapctl: Cloudflare has written the file " << TerminalText(ownership.filename())
            << " into the bucket. What it says is the proof: pcapctl buckets validate"
               " --destination-conf URI --ownership-challenge-file FILE\n";
  return exit_code;
}

int ValidateBucket(const Session& session, const std::string& destination_conf,
                   const std::string& challenge, const WriteArguments& arguments) {
  pcap::v1::ValidateOwnershipRequest request;
  request.set_account_id(session.account_id);
  request.set_destination_conf(destination_conf);
  request.set_ownership_challenge(challenge);
  if (arguments.dry_run) {
    request.set_destination_conf(BucketWithoutSecrets(destination_conf));
    request.set_ownership_challenge("REDACTED");
    return ShowRequest(request, arguments.output);
  }
  const auto result = session.client.ValidateOwnership(request, session.call);
  if (!result.ok()) return Fail(session.console.Explained(result.error()));
  const Ownership& ownership = result->response.ownership();
  const int exit_code = PrintBuckets(session, {ownership}, /*is_list=*/false, arguments.output);
  if (ownership.status() == pcap::v1::OWNERSHIP_STATUS_PENDING) {
    std::cerr << "pcapctl: Cloudflare looks at it within five to ten minutes;"
                 " pcapctl buckets list tells what came of it\n";
  }
  return exit_code;
}

int RemoveBuckets(const Session& session, const std::vector<std::string>& ids, bool yes,
                  const WriteArguments& arguments) {
  std::vector<std::string> folded;
  for (const std::string& typed : ids) {
    const absl::StatusOr<std::string> id = FoldedId(typed);
    if (!id.ok()) return Fail(id.status());
    folded.push_back(*id);
  }
  if (!arguments.dry_run && !yes) {
    if (isatty(STDIN_FILENO) == 0) {
      return FailUsage("--yes: needed, as stdin is no terminal to ask at");
    }
    if (!Confirmed(absl::StrCat("Remove ", absl::StrJoin(folded, ", "),
                                "? Full captures can no longer be written there."))) {
      std::cerr << "pcapctl: nothing is removed\n";
      return ExitCode(absl::StatusCode::kCancelled);
    }
  }
  int exit_code = 0;
  for (const std::string& id : folded) {
    pcap::v1::DeleteOwnershipRequest request;
    request.set_account_id(session.account_id);
    request.set_ownership_id(id);
    int code = 0;
    if (arguments.dry_run) {
      code = ShowRequest(request, arguments.output);
    } else if (const auto result = session.client.DeleteOwnership(request, session.call);
               !result.ok()) {
      code = Fail(session.console.Explained(result.error()), folded.size() > 1 ? id : "");
    } else {
      code = PrintAndExit(id + "\n");
    }
    if (exit_code == 0) exit_code = code;
  }
  return exit_code;
}

}  // namespace pcap_client
