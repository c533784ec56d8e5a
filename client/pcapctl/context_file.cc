#include "client/pcapctl/context_file.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace pcap_client {
namespace {

constexpr size_t kMostFileBytes = 1 << 20;

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
  if (name.empty()) Throw(node, "a context has no name");
  if (std::any_of(name.begin(), name.end(), absl::ascii_iscntrl)) {
    Throw(node, "a context's name has a control character");
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
  const std::map<std::string, std::string*> texts = {
      {"address", &settings.address},
      {"admin-address", &settings.admin_address},
      {"account", &settings.account},
      {"api-token-file", &settings.api_token_file},
      {"timeout", &settings.timeout},
      {"tls-ca-file", &settings.tls_ca_file},
      {"tls-cert-file", &settings.tls_cert_file},
      {"tls-key-file", &settings.tls_key_file},
      {"tls-server-name", &settings.tls_server_name},
  };
  if (!context.IsMap()) Throw(context, "a context is not a mapping of options");
  for (const auto& entry : context) {
    const std::string key = TextOf(entry.first, "a key");
    if (key == "tls") {
      settings.tls = BoolOf(entry.second, key);
      continue;
    }
    const auto found = texts.find(key);
    if (found == texts.end()) Throw(entry.first, absl::StrCat("no option is called `", key, "`"));
    *found->second = TextOf(entry.second, key);
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

// Where the file usually is; empty: nowhere.
std::string UsualPath(const std::function<const char*(const char*)>& environment) {
  const auto variable = [&](const char* name) -> std::string {
    const char* const value = environment(name);
    return value == nullptr ? "" : value;
  };
  std::string base = variable("XDG_CONFIG_HOME");
  if (base.empty() && !variable("HOME").empty()) base = variable("HOME") + "/.config";
  return base.empty() ? "" : base + "/pcapctl/config.yaml";
}

}  // namespace

absl::StatusOr<ContextFile> ParseContextFile(const std::string& yaml) {
  try {
    return FileIn(YAML::Load(yaml));
  } catch (const Wrong& wrong) {
    return absl::InvalidArgumentError(wrong.what());
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("line ", error.mark.line + 1, ": ", error.msg));
  }
}

absl::StatusOr<ContextFile> ReadContextFile(
    const std::string& path, const std::function<const char*(const char*)>& environment) {
  const std::string usual = UsualPath(environment);
  const std::string& from = path.empty() ? usual : path;
  if (path.empty() && (usual.empty() || access(usual.c_str(), F_OK) != 0)) return ContextFile();
  std::ifstream stream(from);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) return absl::InvalidArgumentError(absl::StrCat("--config: cannot read ", from));
  if (text.size() > kMostFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat("--config: ", from, " is larger than 1 MiB"));
  }
  absl::StatusOr<ContextFile> file = ParseContextFile(text);
  if (file.ok()) return file;
  return absl::InvalidArgumentError(
      absl::StrCat("--config: ", from, ": ", file.status().message()));
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
  const std::string known =
      absl::StrJoin(file->contexts, ", ",
                    [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first); });
  return absl::InvalidArgumentError(
      absl::StrCat("--context: there is no context `", wanted, "`",
                   known.empty() ? "" : absl::StrCat(", there are: ", known)));
}

}  // namespace pcap_client
