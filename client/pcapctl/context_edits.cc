#include "client/pcapctl/context_edits.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/pcapctl/context_file.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

constexpr char kCurrent[] = "current-context";
constexpr char kContexts[] = "contexts";

YAML::Node NodeOf(const Settings& settings) {
  YAML::Node node(YAML::NodeType::Map);
  for (const auto& [key, text] : kTextSettings) {
    if (!(settings.*text).empty()) node[key] = settings.*text;
  }
  if (settings.tls.has_value()) node["tls"] = *settings.tls;
  return node;
}

// The file of `yaml`, which ParseContextFile has accepted.
YAML::Node RootOf(const std::string& yaml) {
  YAML::Node root = YAML::Load(yaml);
  if (root.IsNull()) root = YAML::Node(YAML::NodeType::Map);
  return root;
}

std::string TextOf(const YAML::Node& root) {
  YAML::Emitter out;
  out << root;
  return absl::StrCat(out.c_str(), "\n");
}

// YAML is UTF-8, and file names need not be.
bool Prints(const std::string& text) { return TerminalText(text) == text; }

absl::Status DoesNotPrint(absl::string_view what, const std::string& text) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": `", text, "` has a character that does not print"));
}

}  // namespace

bool HasComments(const std::string& yaml) {
  const std::string without = TextOf(RootOf(yaml));
  return std::count(yaml.begin(), yaml.end(), '#') !=
         std::count(without.begin(), without.end(), '#');
}

absl::StatusOr<std::string> WithContext(const std::string& yaml, const std::string& name,
                                        const Settings& settings) {
  const absl::StatusOr<ContextFile> file = ParseContextFile(yaml);
  if (!file.ok()) return file.status();
  if (absl::Status status = CheckContextName(name); !status.ok()) return status;
  if (!Prints(name)) return DoesNotPrint("the context's name", name);
  for (const auto& [key, text] : kTextSettings) {
    if (!Prints(settings.*text)) return DoesNotPrint(absl::StrCat("--", key), settings.*text);
  }
  if (file->contexts.contains(name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "there is a context `", name, "` already; `contexts remove` makes room for a new one"));
  }
  YAML::Node root = RootOf(yaml);
  if (file->contexts.empty()) {
    root[kCurrent] = name;
    root[kContexts] = YAML::Node(YAML::NodeType::Map);
  }
  root[kContexts][name] = NodeOf(settings);
  return TextOf(root);
}

absl::StatusOr<std::string> WithCurrentContext(const std::string& yaml, const std::string& name) {
  const absl::StatusOr<ContextFile> file = ParseContextFile(yaml);
  if (!file.ok()) return file.status();
  if (!file->contexts.contains(name)) {
    return absl::InvalidArgumentError(NoSuchContext(*file, name));
  }
  YAML::Node root = RootOf(yaml);
  root[kCurrent] = name;
  return TextOf(root);
}

absl::StatusOr<std::string> WithoutContext(const std::string& yaml, const std::string& name) {
  const absl::StatusOr<ContextFile> file = ParseContextFile(yaml);
  if (!file.ok()) return file.status();
  if (!file->contexts.contains(name)) {
    return absl::InvalidArgumentError(NoSuchContext(*file, name));
  }
  YAML::Node root = RootOf(yaml);
  root[kContexts].remove(name);
  if (file->current == name) root.remove(kCurrent);
  return TextOf(root);
}

}  // namespace pcap_client
