#include "client/pcapctl/command_line.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/pcapctl/pcap_id.h"

namespace pcap_client {
namespace {

using Words = std::vector<std::string>;

// Longer words are no slips, and would take long to compare.
constexpr size_t kLongestName = 64;

// What people look for, as other programs and Cloudflare's API have it.
constexpr absl::string_view kNotThereYet[] = {"list",     "ls",      "watch",   "create", "stop",
                                              "download", "buckets", "capture", "delete"};

// How many letters are missing, too many, wrong or swapped with their neighbour.
size_t Slips(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> slips(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        slips[i][j] = i + j;
        continue;
      }
      slips[i][j] = std::min({slips[i - 1][j] + 1, slips[i][j - 1] + 1,
                              slips[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        slips[i][j] = std::min(slips[i][j], slips[i - 2][j - 2] + 1);
      }
    }
  }
  return slips[a.size()][b.size()];
}

absl::Status Wrong(absl::string_view what, absl::string_view meant = "") {
  return absl::InvalidArgumentError(
      absl::StrCat(what, meant.empty() ? "" : absl::StrCat("; did you mean ", meant, "?")));
}

const CompletedOption* Find(const std::vector<CompletedOption>& options, absl::string_view name) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const auto& option) {
    return option.name == name || option.short_name == name;
  });
  return found == options.end() ? nullptr : &*found;
}

const CompletedCommand* Find(const CompletedProgram& program, absl::string_view name) {
  const auto found = std::find_if(program.commands.begin(), program.commands.end(),
                                  [&](const auto& command) { return command.name == name; });
  return found == program.commands.end() ? nullptr : &*found;
}

Words CommandsOf(const CompletedProgram& program) {
  Words names;
  for (const CompletedCommand& command : program.commands) names.push_back(command.name);
  return names;
}

// Whichever command's it is; one name has one meaning.
const CompletedOption* FindAnywhere(const CompletedProgram& program, absl::string_view name) {
  if (const CompletedOption* const option = Find(program.options, name)) return option;
  for (const CompletedCommand& command : program.commands) {
    if (const CompletedOption* const option = Find(command.options, name)) return option;
  }
  return nullptr;
}

// "--output" of "--output=json", "-o" of "-ojson".
std::string NameIn(const std::string& word) {
  return absl::StartsWith(word, "--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
}

bool IsOption(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

absl::Status NoSuchCommand(const CompletedProgram& program, const std::string& word) {
  const Words commands = CommandsOf(program);
  if (std::find(std::begin(kNotThereYet), std::end(kNotThereYet), word) != std::end(kNotThereYet)) {
    return Wrong(absl::StrCat("there is no command `", word, "` yet: ", program.name,
                              " reads captures by their ids, with `", program.name,
                              " get PCAP_ID`"));
  }
  const std::string no_such = absl::StrCat("there is no command `", word, "`");
  if (const auto id = FoldedId(word); id.ok()) {
    return Wrong(no_such, absl::StrCat("`", program.name, " get ", *id, "`"));
  }
  const std::string meant = MeantBy(word, commands);
  if (!meant.empty()) return Wrong(no_such, meant);
  return Wrong(absl::StrCat(no_such, "; there are ", absl::StrJoin(commands, ", ")));
}

absl::Status NoSuchOption(const CompletedProgram& program, const CompletedCommand* command,
                          const std::string& name) {
  if (FindAnywhere(program, name) != nullptr && command != nullptr) {
    Words others;
    for (const CompletedCommand& other : program.commands) {
      if (Find(other.options, name) != nullptr) others.push_back(other.name);
    }
    return Wrong(absl::StrCat("`", command->name, "` has no option ", name, "; ",
                              absl::StrJoin(others, ", "), others.size() == 1 ? " has" : " have"));
  }
  Words known;
  const auto add = [&](const std::vector<CompletedOption>& options) {
    for (const CompletedOption& option : options) known.push_back(option.name);
  };
  add(program.options);
  if (command != nullptr) {
    add(command->options);
  } else {
    for (const CompletedCommand& each : program.commands) add(each.options);
  }
  return Wrong(absl::StrCat("there is no option ", name), MeantBy(name, known));
}

// Where the words that are neither options nor their values stand; up to `--`, after which there
// are no options. `names`: the options, as they were typed.
Words BareWordsOf(const CompletedProgram& program, const Words& words, Words& names) {
  Words bare;
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (!IsOption(words[i])) {
      bare.push_back(words[i]);
      continue;
    }
    const std::string name = NameIn(words[i]);
    names.push_back(name);
    const CompletedOption* const option = FindAnywhere(program, name);
    if (option != nullptr && option->value != ValueKind::kNone && words[i] == name) ++i;
  }
  return bare;
}

}  // namespace

std::string MeantBy(absl::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kLongestName) return "";
  const size_t most = word.size() < 5 ? 1 : 2;
  std::string nearest;
  size_t least = most + 1;
  for (const std::string& its : known) {
    const size_t slips = Slips(word, its);
    if (slips >= least) continue;
    least = slips;
    nearest = its;
  }
  if (!nearest.empty() || word.size() < 2) return nearest;
  for (const std::string& its : known) {
    if (word != "--" && absl::StartsWith(its, word)) return its;
  }
  return "";
}

absl::StatusOr<std::vector<std::string>> CommandLine(const CompletedProgram& program,
                                                     const std::vector<std::string>& typed) {
  Words words = typed;
  for (std::string& word : words) {
    if (word == "--") break;
    // -o=json, as people have it from --output=json.
    if (word.size() > 2 && word[0] == '-' && word[1] != '-' && word[2] == '=') word.erase(2, 1);
  }
  Words names;
  const Words bare = BareWordsOf(program, words, names);
  const CompletedCommand* command = bare.empty() ? nullptr : Find(program, bare.front());
  // First, as the value of an option that there is not would be taken for the command.
  for (const std::string& name : names) {
    if (command != nullptr) break;
    if (name == "-h" || name == "--help") continue;
    if (FindAnywhere(program, name) == nullptr) return NoSuchOption(program, nullptr, name);
  }
  if (!bare.empty() && command == nullptr) return NoSuchCommand(program, bare.front());
  for (const std::string& name : names) {
    if (name == "-h" || name == "--help") continue;  // of all
    if (FindAnywhere(program, name) == nullptr ||
        (command != nullptr && Find(program.options, name) == nullptr &&
         Find(command->options, name) == nullptr)) {
      return NoSuchOption(program, command, name);
    }
  }
  if (command == nullptr) return words;
  if (command->name == "version") return Words{"--version"};
  if (command->name == "help") {
    Words asked(bare.begin() + 1, bare.end());
    if (!asked.empty() && Find(program, asked.front()) == nullptr) {
      return NoSuchCommand(program, asked.front());
    }
    asked.emplace_back("--help");
    return asked;
  }
  Words ordered = words;
  // The first that reads so may be an option's value; the bare one is not before its own place.
  size_t at = 0;
  for (Words ignored; at < ordered.size(); ++at) {
    const Words begun(ordered.begin(),
                      ordered.begin() + static_cast<Words::difference_type>(at + 1));
    if (!BareWordsOf(program, begun, ignored).empty()) break;
  }
  std::rotate(ordered.begin(), ordered.begin() + static_cast<Words::difference_type>(at),
              ordered.begin() + static_cast<Words::difference_type>(at + 1));
  return ordered;
}

}  // namespace pcap_client
