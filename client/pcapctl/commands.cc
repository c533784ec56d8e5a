#include "client/pcapctl/commands.h"

#include <cstdlib>
#include <functional>
#include <iomanip>
#include <iostream>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/pcapctl/buckets_command.h"
#include "client/pcapctl/capture_command.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/contexts_command.h"
#include "client/pcapctl/create_request.h"
#include "client/pcapctl/download_command.h"
#include "client/pcapctl/get_command.h"
#include "client/pcapctl/http_get.h"
#include "client/pcapctl/list_command.h"
#include "client/pcapctl/metric_samples.h"
#include "client/pcapctl/options.h"
#include "client/pcapctl/packet_file.h"
#include "client/pcapctl/print_cache.h"
#include "client/pcapctl/session.h"
#include "client/pcapctl/status_command.h"
#include "client/pcapctl/wait_command.h"
#include "client/pcapctl/watch_command.h"
#include "client/pcapctl/write_commands.h"

namespace pcap_client {
namespace {

// Of ids on stdin.
constexpr size_t kMostIds = 100'000;
constexpr int kLongestWord = 128;

// "-" stands for ids on stdin, between blanks. INVALID_ARGUMENT: there are none, or too many.
absl::StatusOr<std::vector<std::string>> IdsOf(const Arguments& arguments) {
  std::vector<std::string> ids;
  for (const std::string& id : arguments.pcap_ids) {
    if (id != "-") {
      ids.push_back(id);
      continue;
    }
    // Words that are cut are no ids, and are told as such.
    for (std::string word; std::cin >> std::setw(kLongestWord) >> word;) {
      if (ids.size() == kMostIds) {
        return absl::InvalidArgumentError(
            absl::StrCat("PCAP_ID: stdin has more than ", kMostIds, "; split them, as xargs does"));
      }
      ids.push_back(std::move(word));
    }
  }
  if (ids.empty()) return absl::InvalidArgumentError("PCAP_ID: stdin has none");
  return ids;
}

std::optional<absl::Duration> MaxAgeOf(const Arguments& arguments) {
  return DurationFrom(arguments.max_age, absl::ZeroDuration(), kLongestMaxAge);
}

// --- get, wait, list

void DeclareGet(CLI::App& command, Arguments& arguments) {
  AddIds(command, arguments);
  AddOutput(command, arguments);
  AddAccountOptions(command, arguments);
  AddMaxAge(command, arguments);
  AddTimeout(command, arguments, "The longest to wait for each (default 10s)");
}

int RunGet(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfEachCall, [&](const Session& session) {
    absl::StatusOr<std::vector<std::string>> ids = IdsOf(arguments);
    if (!ids.ok()) return FailUsage(ids.status().message());
    return Get(session.client,
               {.pcap_ids = *std::move(ids),
                .account_id = session.account_id,
                .max_age = MaxAgeOf(arguments),
                .output = arguments.format()},
               session.call, session.console);
  });
}

void DeclareWait(CLI::App& command, Arguments& arguments) {
  AddIds(command, arguments);
  AddOutput(command, arguments);
  AddAccountOptions(command, arguments);
  AddInterval(command, arguments);
  AddTimeout(command, arguments, "The longest to wait in all (default 15m)");
}

int RunWait(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfTheCommand, [&](const Session& session) {
    absl::StatusOr<std::vector<std::string>> ids = IdsOf(arguments);
    if (!ids.ok()) return FailUsage(ids.status().message());
    WaitArguments waiting{.pcaps = {.pcap_ids = *std::move(ids),
                                    .account_id = session.account_id,
                                    .output = arguments.format()},
                          .interval = TimeoutFrom(arguments.interval)};
    // Who wants to know every second has no use for an answer of two seconds ago.
    waiting.pcaps.max_age = waiting.interval;
    if (const auto timeout = TimeoutFrom(arguments.settings.timeout)) waiting.timeout = *timeout;
    return Wait(session.client, waiting, session.call, session.console);
  });
}

void DeclareWatch(CLI::App& command, Arguments& arguments) {
  command
      .add_option("PCAP_ID", arguments.pcap_ids,
                  "Captures: 32 hex digits each; - for stdin (default: all of the account)")
      ->type_name("");
  AddOutput(command, arguments);
  AddAccountOptions(command, arguments);
  AddTimeout(command, arguments, "The longest to watch in all (default: as long as it takes)");
}

int RunWatch(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfTheCommand, [&](const Session& session) {
    WatchArguments watching{.output = arguments.format(),
                            .timeout = TimeoutFrom(arguments.settings.timeout)};
    if (!arguments.pcap_ids.empty()) {
      absl::StatusOr<std::vector<std::string>> ids = IdsOf(arguments);
      if (!ids.ok()) return FailUsage(ids.status().message());
      watching.pcap_ids = *std::move(ids);
    }
    return Watch(session, watching);
  });
}

void DeclareList(CLI::App& command, Arguments& arguments) {
  AddOutput(command, arguments);
  AddAccountOptions(command, arguments);
  AddMaxAge(command, arguments);
  AddTimeout(command, arguments, "The longest to wait (default 10s)");
}

int RunList(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfEachCall, [&](const Session& session) {
    return List(session, MaxAgeOf(arguments), arguments.format());
  });
}

// --- create, stop

void DeclareCreate(CLI::App& command, Arguments& arguments) {
  AddDryRun(command, arguments);
  AddOutput(command, arguments);
  AddAccountOptions(command, arguments);
  AddTimeout(command, arguments, "The longest to wait (default 10s)");
}

void DeclareCreateSimple(CLI::App& command, Arguments& arguments) {
  AddSimpleOptions(command, arguments);
  DeclareCreate(command, arguments);
}

void DeclareCreateFull(CLI::App& command, Arguments& arguments) {
  AddFullOptions(command, arguments);
  DeclareCreate(command, arguments);
}

int RunCreate(const Arguments& arguments, absl::StatusOr<pcap::v1::CreatePcapRequest> request) {
  if (!request.ok()) return FailUsage(request.status().message());
  return WithSession(arguments, TimeoutIs::kOfEachCall, [&](const Session& session) {
    request->set_account_id(session.account_id);
    if (arguments.dry_run) return ShowRequest(WithoutSecrets(*request), arguments.format());
    return Create(session, *request, arguments.format());
  });
}

int RunCreateSimple(const Arguments& arguments) {
  return RunCreate(arguments, SimpleRequest(arguments.capture));
}

int RunCreateFull(const Arguments& arguments) {
  return RunCreate(arguments, FullRequest(arguments.capture));
}

void DeclareStop(CLI::App& command, Arguments& arguments) {
  AddIds(command, arguments);
  AddDryRun(command, arguments);
  AddAccountOptions(command, arguments);
  AddTimeout(command, arguments, "The longest to wait for each (default 10s)");
}

int RunStop(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfEachCall, [&](const Session& session) {
    const absl::StatusOr<std::vector<std::string>> ids = IdsOf(arguments);
    if (!ids.ok()) return FailUsage(ids.status().message());
    return Stop(session, *ids, arguments.dry_run, arguments.format());
  });
}

// --- download

void DeclareDownload(CLI::App& command, Arguments& arguments) {
  command.add_option("PCAP_ID", arguments.pcap_ids, "A simple capture: 32 hex digits")
      ->required()
      ->expected(1)
      ->type_name("");
  AddFileOptions(command, arguments);
  AddAccountOptions(command, arguments);
  AddTimeout(command, arguments, "The longest to wait in all (default: as long as it takes)");
}

int RunDownload(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfTheCommand, [&](const Session& session) {
    return Download(session, {.pcap_id = arguments.pcap_ids.front(),
                              .file = arguments.file,
                              .force = arguments.force,
                              .timeout = TimeoutFrom(arguments.settings.timeout)});
  });
}

// --- capture

void DeclareCapture(CLI::App& command, Arguments& arguments) {
  AddDryRun(command, arguments);
  AddAccountOptions(command, arguments);
  AddTimeout(command, arguments, "The longest to take in all (default: as long as it takes)");
}

void DeclareCaptureSimple(CLI::App& command, Arguments& arguments) {
  AddFileOptions(command, arguments);
  AddSimpleOptions(command, arguments);
  DeclareCapture(command, arguments);
}

void DeclareCaptureFull(CLI::App& command, Arguments& arguments) {
  AddFullOptions(command, arguments);
  AddOutput(command, arguments);
  DeclareCapture(command, arguments);
}

int RunCapture(const Arguments& arguments, absl::StatusOr<pcap::v1::CreatePcapRequest> request) {
  if (!request.ok()) return FailUsage(request.status().message());
  return WithSession(arguments, TimeoutIs::kOfTheCommand, [&](const Session& session) {
    request->set_account_id(session.account_id);
    if (arguments.dry_run) return ShowRequest(WithoutSecrets(*request), arguments.format());
    return Capture(session, {.request = *request,
                             .file = arguments.file,
                             .force = arguments.force,
                             .output = arguments.format(),
                             .timeout = TimeoutFrom(arguments.settings.timeout)});
  });
}

int RunCaptureSimple(const Arguments& arguments) {
  return RunCapture(arguments, SimpleRequest(arguments.capture));
}

int RunCaptureFull(const Arguments& arguments) {
  return RunCapture(arguments, FullRequest(arguments.capture));
}

// --- buckets

int RunBucketsList(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfEachCall, [&](const Session& session) {
    return ListBuckets(session, MaxAgeOf(arguments), arguments.format());
  });
}

void DeclareBucketsAdd(CLI::App& command, Arguments& arguments) {
  AddDestination(command, arguments);
  DeclareCreate(command, arguments);
}

// Runs `command` with the bucket's URI, which has to be there.
int WithBucket(const Arguments& arguments,
               const std::function<int(const Session&, const std::string& uri)>& command) {
  const absl::StatusOr<std::string> uri = DestinationOf(arguments.capture);
  if (!uri.ok()) return FailUsage(uri.status().message());
  if (uri->empty()) return FailUsage("--destination-conf: needed, the bucket's URI");
  return WithSession(arguments, TimeoutIs::kOfEachCall,
                     [&](const Session& session) { return command(session, *uri); });
}

int RunBucketsAdd(const Arguments& arguments) {
  return WithBucket(arguments, [&](const Session& session, const std::string& uri) {
    return AddBucket(session, uri, {.dry_run = arguments.dry_run, .output = arguments.format()});
  });
}

void DeclareBucketsValidate(CLI::App& command, Arguments& arguments) {
  AddDestination(command, arguments);
  AddOwnershipChallenge(command, arguments);
  DeclareCreate(command, arguments);
}

int RunBucketsValidate(const Arguments& arguments) {
  const absl::StatusOr<std::string> challenge = OneOfTextAndFile(
      "ownership-challenge", arguments.ownership_challenge, arguments.ownership_challenge_file);
  if (!challenge.ok()) return FailUsage(challenge.status().message());
  if (challenge->empty()) {
    return FailUsage("--ownership-challenge: needed, what the file in the bucket says");
  }
  return WithBucket(arguments, [&](const Session& session, const std::string& uri) {
    return ValidateBucket(session, uri, *challenge,
                          {.dry_run = arguments.dry_run, .output = arguments.format()});
  });
}

void DeclareBucketsRemove(CLI::App& command, Arguments& arguments) {
  command
      .add_option("OWNERSHIP_ID", arguments.ownership_ids,
                  "Buckets, by the ids of `buckets list`: 32 hex digits each")
      ->required()
      ->type_name("");
  command.add_flag("--yes", arguments.yes, "Do not ask whether that is meant");
  AddDryRun(command, arguments);
  AddAccountOptions(command, arguments);
  AddTimeout(command, arguments, "The longest to wait for each (default 10s)");
}

int RunBucketsRemove(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfEachCall, [&](const Session& session) {
    return RemoveBuckets(session, arguments.ownership_ids, arguments.yes,
                         {.dry_run = arguments.dry_run, .output = arguments.format()});
  });
}

// --- status, cache

void DeclareStatus(CLI::App& command, Arguments& arguments) {
  AddOutput(command, arguments);
  AddAdminAddress(command, arguments);
  AddTimeout(command, arguments, "The longest to wait for each answer (default 10s)");
}

int RunStatus(const Arguments& arguments) {
  return WithSession(arguments, TimeoutIs::kOfEachCall, [&](const Session& session) {
    return ShowStatus(session.client,
                      {.address = session.settings.address,
                       .admin_address = AdminAddressOf(session.settings),
                       .admin_address_is_a_guess = session.settings.admin_address.empty(),
                       .timeout = session.options.timeout,
                       .output = arguments.format()},
                      session.console);
  });
}

void DeclareCache(CLI::App& command, Arguments& arguments) {
  AddAdminAddress(command, arguments);
  command.add_flag("--json", arguments.json, "Print the metrics as one JSON object");
  AddTimeout(command, arguments, "The longest to wait (default 10s)");
}

int RunCache(const Arguments& arguments) {
  const auto [settings, exit_code] = SettingsOf(arguments);
  if (exit_code != 0) return exit_code;
  const absl::Duration timeout = TimeoutFrom(settings.timeout).value_or(ClientOptions().timeout);
  if (const absl::Status status = CheckAddresses(settings); !status.ok()) {
    return FailUsage(status.message());
  }
  const std::string address = AdminAddressOf(settings);
  if (address.empty()) return FailUsage("--admin-address: needed, as the gateway is elsewhere");
  const auto page = HttpGet(address, "/metrics", timeout);
  if (!page.ok()) return Fail(page.status());
  const MetricSamples samples(*page);
  return PrintAndExit(arguments.json ? CacheJson(samples) : CacheTable(samples));
}

// --- contexts, help, completion

void DeclareContexts(CLI::App& command, Arguments& arguments) {
  command
      .add_option("ACTION", arguments.contexts.action,
                  absl::StrCat(absl::StrJoin(ContextActions(), ", "), " (without one: list them)"))
      ->type_name("");
  command.add_option("NAME", arguments.contexts.name, "The context's name")->type_name("");
  command.add_flag("--names", arguments.contexts.names, "List their names alone");
  // What `add` saves, beside the options of all commands.
  AddAccountOptions(command, arguments);
  AddAdminAddress(command, arguments)->envname("");
  AddTimeout(command, arguments, "The longest to wait for each answer");
}

int RunContexts(const Arguments& arguments) {
  ContextsArguments contexts = arguments.contexts;
  contexts.config = arguments.config;
  contexts.context = arguments.context;
  contexts.settings = arguments.settings;
  return Contexts(contexts, [](const char* name) -> const char* { return std::getenv(name); });
}

std::vector<std::string> HelpWords() {
  std::vector<std::string> names;
  for (const Command& command : Commands()) {
    const std::string& word = command.group.empty() ? command.name : command.group;
    if (names.empty() || names.back() != word) names.push_back(word);
  }
  return names;
}

}  // namespace

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {
      {"", "get", "Print packet captures", DeclareGet, RunGet},
      {"", "list", "Print the account's packet captures", DeclareList, RunList},
      {"", "wait", "Wait until captures are final, and print them", DeclareWait, RunWait},
      {"", "watch", "Print captures each time that they change", DeclareWatch, RunWatch},
      {"capture", "simple", "A sample of packets, into a file or to tshark", DeclareCaptureSimple,
       RunCaptureSimple},
      {"capture", "full", "All packets of a data center, until they are in your bucket",
       DeclareCaptureFull, RunCaptureFull},
      {"create", "simple", "A sample of packets, which can be downloaded", DeclareCreateSimple,
       RunCreateSimple},
      {"create", "full", "All packets of a data center, into a bucket of yours", DeclareCreateFull,
       RunCreateFull},
      {"", "stop", "Stop full captures", DeclareStop, RunStop},
      {"", "download", "Download the packets of a simple capture", DeclareDownload, RunDownload},
      {"buckets", "list", "Print the buckets that full captures are written to", DeclareList,
       RunBucketsList},
      {"buckets", "add", "Name a bucket; Cloudflare writes a file into it", DeclareBucketsAdd,
       RunBucketsAdd},
      {"buckets", "validate", "Prove that it is yours, by what that file says",
       DeclareBucketsValidate, RunBucketsValidate},
      {"buckets", "remove", "Take buckets away", DeclareBucketsRemove, RunBucketsRemove},
      {"", "status", "Say how the gateway is doing", DeclareStatus, RunStatus},
      {"", "cache", "Show what the gateway's cache has done so far", DeclareCache, RunCache},
      {"", "contexts", "List, use, add and remove the configuration's contexts", DeclareContexts,
       RunContexts, ContextActions, ActionsOnContexts},
      {"", "help", "Tell of a command, as its --help does", nullptr, nullptr, HelpWords},
      {"", "version", "Print the version"},
      {"", "completion", "Print a shell's completion script", AddShell, nullptr, ShellWords},
  };
  return commands;
}

const std::vector<CommandGroup>& CommandGroups() {
  static const std::vector<CommandGroup> groups = {
      {"capture", "Ask for a packet capture, wait for it, and fetch the packets"},
      {"create", "Ask for a packet capture, and no more"},
      {"buckets", "List, add, validate and remove buckets for full captures"},
  };
  return groups;
}

}  // namespace pcap_client
