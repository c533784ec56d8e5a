#include "client/pcapctl/context_file.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/pcapctl/command_line.h"
#include "client/pcapctl/text_file.h"

namespace pcap_client {
namespace {

// Thrown and caught in this file alone: the YAML library throws, too.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void Throw(const YAML::Node& node, absl::string_view why) {
  const int line = node.Mark().line;  // from 0; -1: not known
  throw Wrong(line < 0 ? std::string(why) : absl::StrCat("line ", line + 1, ": ", why));
}

std::string TextOf(const YAML::Node& node, absl::string_view key) {
  if (!node.IsScalar()) Throw(node, absl::StrCat("`", key, "` is not a text"));
  return node.Scalar();
}

// A context's name: one line, so that a list of names has a line each.
std::string NameOf(const YAML::Node& node) {
  std::string name = TextOf(node, "a context's name");
  if (const absl::Status status = CheckContextName(name); !status.ok()) {
    Throw(node, status.message());
  }
  return name;
}

bool BoolOf(const YAML::Node& node, absl::string_view key) {
  bool value;
  if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value)) {
    Throw(node, absl::StrCat("`", key, "` is neither true nor false"));
  }
  return value;
}

Settings SettingsIn(const YAML::Node& context) {
  Settings settings;
  if (!context.IsMap()) Throw(context, "a context is not a mapping of options");
  for (const auto& entry : context) {
    const std::string key = TextOf(entry.first, "a key");
    if (key == "tls") {
      settings.tls = BoolOf(entry.second, key);
      continue;
    }
    const auto* const found = std::find_if(std::begin(kTextSettings), std::end(kTextSettings),
                                           [&](const auto& text) { return key == text.first; });
    if (found == std::end(kTextSettings)) {
      Throw(entry.first, absl::StrCat("no option is called `", key, "`"));
    }
    settings.*found->second = TextOf(entry.second, key);
  }
  return settings;
}

ContextFile FileIn(const YAML::Node& root) {
  ContextFile file;
  if (root.IsNull()) return file;
  if (!root.IsMap()) Throw(root, "the file is not a mapping");
  for (const auto& entry : root) {
    const std::string key = TextOf(entry.first, "a key");
    if (key == "current-context") {
      file.current = TextOf(entry.second, key);
    } else if (key == "contexts") {
      if (!entry.second.IsMap()) Throw(entry.second, "`contexts` is not a mapping");
      for (const auto& context : entry.second) {
        const std::string name = NameOf(context.first);
        if (!file.contexts.emplace(name, SettingsIn(context.second)).second) {
          Throw(context.first, absl::StrCat("a second context `", name, "`"));
        }
      }
    } else {
      Throw(entry.first, absl::StrCat("unknown key `", key, "`"));
    }
  }
  if (!file.current.empty() && !file.contexts.contains(file.current)) {
    throw Wrong(absl::StrCat("there is no context `", file.current, "`, the current one"));
  }
  return file;
}

}  // namespace

absl::Status CheckContextName(absl::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("a context has no name");
  if (std::any_of(name.begin(), name.end(), absl::ascii_iscntrl)) {
    return absl::InvalidArgumentError("a context's name has a control character");
  }
  return absl::OkStatus();
}

absl::StatusOr<ContextFile> ParseContextFile(const std::string& yaml) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.empty()) return ContextFile();
    if (documents.size() > 1) Throw(documents[1], "a second document begins; there may be one");
    return FileIn(documents.front());
  } catch (const Wrong& wrong) {
    return absl::InvalidArgumentError(wrong.what());
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("line ", error.mark.line + 1, ": ", error.msg));
  }
}

std::string ContextFilePath(const std::string& path,
                            const std::function<const char*(const char*)>& environment) {
  if (!path.empty()) return path;
  const auto variable = [&](const char* name) -> std::string {
    const char* const value = environment(name);
    return value == nullptr ? "" : value;
  };
  std::string base = variable("XDG_CONFIG_HOME");
  if (base.empty() && !variable("HOME").empty()) base = variable("HOME") + "/.config";
  return base.empty() ? "" : base + "/pcapctl/config.yaml";
}

absl::StatusOr<std::string> ContextFileText(
    const std::string& path, const std::function<const char*(const char*)>& environment) {
  const std::string from = ContextFilePath(path, environment);
  if (path.empty() && (from.empty() || access(from.c_str(), F_OK) != 0)) return "";
  absl::StatusOr<std::string> text = ReadTextFile(from);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(absl::StrCat("--config: ", text.status().message()));
}

absl::StatusOr<ContextFile> ReadContextFile(
    const std::string& path, const std::function<const char*(const char*)>& environment) {
  const absl::StatusOr<std::string> text = ContextFileText(path, environment);
  if (!text.ok()) return text.status();
  absl::StatusOr<ContextFile> file = ParseContextFile(*text);
  if (file.ok()) return file;
  return absl::InvalidArgumentError(absl::StrCat("--config: ", ContextFilePath(path, environment),
                                                 ": ", file.status().message()));
}

std::string NoSuchContext(const ContextFile& file, absl::string_view name) {
  std::vector<std::string> known;
  known.reserve(file.contexts.size());
  for (const auto& [its, settings] : file.contexts) known.push_back(its);
  const std::string meant = MeantBy(name, known);
  return absl::StrCat("there is no context `", name, "`",
                      !meant.empty()   ? absl::StrCat("; did you mean `", meant, "`?")
                      : !known.empty() ? absl::StrCat("; there are: ", absl::StrJoin(known, ", "))
                                       : "; there are none yet: see `pcapctl contexts add`");
}

absl::StatusOr<Settings> SettingsOfContext(
    const std::string& path, const std::string& name,
    const std::function<const char*(const char*)>& environment) {
  const absl::StatusOr<ContextFile> file = ReadContextFile(path, environment);
  if (!file.ok()) return file.status();
  const std::string& wanted = name.empty() ? file->current : name;
  if (wanted.empty()) return Settings();
  const auto found = file->contexts.find(wanted);
  if (found != file->contexts.end()) return found->second;
  return absl::InvalidArgumentError(absl::StrCat("--context: ", NoSuchContext(*file, wanted)));
}

}  // namespace pcap_client
