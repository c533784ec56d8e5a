#include "client/pcapctl/contexts_command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "client/pcapctl/columns.h"
#include "client/pcapctl/command_line.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/context_edits.h"
#include "client/pcapctl/context_file.h"
#include "client/pcapctl/pcap_id.h"
#include "client/pcapctl/terminal_text.h"
#include "client/pcapctl/text_file.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {
namespace {

using Environment = std::function<const char*(const char*)>;

int List(const ContextFile& file, const ContextsArguments& arguments) {
  if (arguments.names) {
    std::string names;
    for (const auto& [name, settings] : file.contexts) absl::StrAppend(&names, name, "\n");
    return PrintAndExit(names);
  }
  const std::string& current = arguments.context.empty() ? file.current : arguments.context;
  Columns columns({"CURRENT", "NAME", "ADDRESS", "ACCOUNT"});
  for (const auto& [name, settings] : file.contexts) {
    columns.Add({{name == current ? "*" : ""}, {name}, {settings.address}, {settings.account}});
  }
  return PrintAndExit(columns.Text());
}

// As they are to be saved: checked, so that no call has to find out. INVALID_ARGUMENT names the
// option that cannot work.
absl::StatusOr<Settings> Saved(Settings settings) {
  if (settings.address.empty()) {
    return absl::InvalidArgumentError("--address: needed, HOST:PORT of the context's gateway");
  }
  for (const auto& [key, text] : kTextSettings) {
    std::string& value = settings.*text;
    if (value.empty() || !absl::EndsWith(key, "-file")) continue;
    // Which folder it was typed in does not matter later.
    std::error_code error;
    const std::filesystem::path path = std::filesystem::absolute(value, error);
    if (!error) value = path.lexically_normal();
  }
  if (!settings.account.empty()) {
    const absl::StatusOr<std::string> account = FoldedId(settings.account);
    if (!account.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--account: ", account.status().message()));
    }
    settings.account = *account;
  }
  const absl::StatusOr<ClientOptions> options = ClientOptionsFrom(settings);
  if (!options.ok()) return options.status();
  if (const auto client = PcapClient::Create(*options); !client.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--address: ", client.status().message()));
  }
  if (!settings.api_token_file.empty()) {
    if (const auto token = TokenFrom(settings.api_token_file); !token.ok()) return token.status();
  }
  return settings;
}

// The file's new YAML; `told`: what has been done, if it is written.
absl::StatusOr<std::string> Edited(const std::string& yaml, const ContextsArguments& arguments,
                                   std::string& told) {
  const std::string name = absl::StrCat("context `", arguments.name, "`");
  if (arguments.action == "use") {
    told = absl::StrCat(name, " is the current one now");
    return WithCurrentContext(yaml, arguments.name);
  }
  if (arguments.action == "remove") {
    absl::StatusOr<std::string> text = WithoutContext(yaml, arguments.name);
    const bool was_current = text.ok() && ParseContextFile(yaml)->current == arguments.name;
    told = absl::StrCat(name, " is removed", was_current ? "; none is the current one now" : "");
    return text;
  }
  const absl::StatusOr<Settings> settings = Saved(arguments.settings);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<std::string> text = WithContext(yaml, arguments.name, *settings);
  const bool is_current = text.ok() && ParseContextFile(*text)->current == arguments.name;
  told = absl::StrCat(name, is_current ? " is added, as the current one" : " is added");
  return text;
}

// INVALID_ARGUMENT: these words make no action.
absl::Status CheckWords(const ContextsArguments& arguments, const ContextFile& file) {
  const std::vector<std::string> actions = ContextActions();
  const std::string& action = arguments.action;
  const bool known = std::find(actions.begin(), actions.end(), action) != actions.end();
  if (!action.empty() && !known) {
    const std::string meant =
        file.contexts.contains(action) ? absl::StrCat("use ", action) : MeantBy(action, actions);
    return absl::InvalidArgumentError(absl::StrCat(
        "`contexts` has no `", action, "`; ",
        meant.empty()
            ? absl::StrCat("there are ", absl::StrJoin(actions, ", "), ", and none: to list them")
            : absl::StrCat("did you mean `pcapctl contexts ", meant, "`?")));
  }
  if (known && arguments.names) return absl::InvalidArgumentError("--names is of the list alone");
  if (known && arguments.name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("`contexts ", action, "` needs a name"));
  }
  if (action.empty() || action == "add") return absl::OkStatus();
  const Settings& said = arguments.settings;
  for (const auto& [key, text] : kTextSettings) {
    if ((said.*text).empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat("--", key, " is of `contexts add` alone"));
  }
  if (!said.tls.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(*said.tls ? "--tls" : "--no-tls", " is of `contexts add` alone"));
}

int Change(const ContextsArguments& arguments, const std::string& path, const std::string& yaml,
           const Environment& environment) {
  std::string told;
  const absl::StatusOr<std::string> text = Edited(yaml, arguments, told);
  if (!text.ok()) return FailUsage(text.status().message());
  const std::string kept = HasComments(yaml) ? path + ".bak" : "";
  if (!kept.empty()) {
    if (const absl::Status status = ReplaceTextFile(kept, yaml); !status.ok()) return Fail(status);
  }
  if (arguments.config.empty()) {
    // Where it usually is there may be no folder yet; a folder that somebody named is a slip.
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  }
  if (const absl::Status status = ReplaceTextFile(path, *text); !status.ok()) return Fail(status);
  if (!kept.empty()) {
    std::cerr << "pcapctl: comments are not kept; the file as it was: " << TerminalText(kept)
              << "\n";
  }
  const char* const forced = environment("PCAPCTL_CONTEXT");
  if (arguments.action == "use" && forced != nullptr && *forced != '\0' &&
      arguments.name != forced) {
    std::cerr << "pcapctl: PCAPCTL_CONTEXT says `" << TerminalText(forced)
              << "`, which counts as long as it is set\n";
  }
  return PrintAndExit(TerminalText(absl::StrCat(told, ", in ", path)) + "\n");
}

}  // namespace

std::vector<std::string> ContextActions() { return {"use", "add", "remove"}; }

std::vector<std::string> ActionsOnContexts() { return {"use", "remove"}; }

int Contexts(const ContextsArguments& arguments, const Environment& environment) {
  const std::string path = ContextFilePath(arguments.config, environment);
  std::error_code error;
  // The first context makes the file, wherever it is to be.
  const bool begins = arguments.action == "add" && !std::filesystem::exists(path, error);
  const absl::StatusOr<ContextFile> file =
      begins ? ContextFile() : ReadContextFile(arguments.config, environment);
  if (!file.ok()) return FailUsage(file.status().message());
  if (const absl::Status status = CheckWords(arguments, *file); !status.ok()) {
    return FailUsage(status.message());
  }
  if (arguments.action.empty()) return List(*file, arguments);
  if (path.empty()) {
    return FailUsage("--config: needed, as neither HOME nor XDG_CONFIG_HOME is set");
  }
  const absl::StatusOr<std::string> yaml =
      begins ? "" : ContextFileText(arguments.config, environment);
  if (!yaml.ok()) return FailUsage(yaml.status().message());
  return Change(arguments, path, *yaml, environment);
}

}  // namespace pcap_client
