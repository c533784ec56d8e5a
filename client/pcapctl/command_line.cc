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

const CompletedCommand* Find(const std::vector<CompletedCommand>& commands,
                             absl::string_view name) {
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [&](const auto& command) { return command.name == name; });
  return found == commands.end() ? nullptr : &*found;
}

Words NamesOf(const std::vector<CompletedCommand>& commands) {
  Words names;
  names.reserve(commands.size());
  for (const CompletedCommand& command : commands) names.push_back(command.name);
  return names;
}

// A command, and the words that name it: "create simple".
struct Named {
  const CompletedCommand* command = nullptr;
  std::string name;
};

// All commands, not the groups.
std::vector<Named> CommandsOf(const CompletedProgram& program) {
  std::vector<Named> all;
  for (const CompletedCommand& command : program.commands) {
    if (command.commands.empty()) all.push_back({&command, command.name});
    for (const CompletedCommand& second : command.commands) {
      all.push_back({&second, absl::StrCat(command.name, " ", second.name)});
    }
  }
  return all;
}

// Whichever command's it is; one name has one meaning.
const CompletedOption* FindAnywhere(const CompletedProgram& program, absl::string_view name) {
  if (const CompletedOption* const option = Find(program.options, name)) return option;
  for (const Named& command : CommandsOf(program)) {
    if (const CompletedOption* const option = Find(command.command->options, name)) return option;
  }
  return nullptr;
}

// "--output" of "--output=json", "-o" of "-ojson".
std::string NameIn(const std::string& word) {
  return absl::StartsWith(word, "--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
}

bool IsOption(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

absl::Status NoSuchCommand(const CompletedProgram& program, const std::string& word) {
  const Words commands = NamesOf(program.commands);
  const std::string no_such = absl::StrCat("there is no command `", word, "`");
  if (const auto id = FoldedId(word); id.ok()) {
    return Wrong(no_such, absl::StrCat("`", program.name, " get ", *id, "`"));
  }
  const std::string meant = MeantBy(word, commands);
  if (!meant.empty()) return Wrong(no_such, meant);
  return Wrong(absl::StrCat(no_such, "; there are ", absl::StrJoin(commands, ", ")));
}

// `word`: what stands where the second word of a command of `group` should; empty: nothing.
absl::Status NoSuchSecond(const CompletedCommand& group, const std::string& word) {
  const Words seconds = NamesOf(group.commands);
  const std::string all = absl::StrJoin(seconds, ", ");
  if (word.empty()) return Wrong(absl::StrCat("`", group.name, "` needs one of ", all));
  const std::string meant = MeantBy(word, seconds);
  const std::string no_such = absl::StrCat("there is no command `", group.name, " ", word, "`");
  if (meant.empty()) return Wrong(absl::StrCat(no_such, "; there are ", all));
  return Wrong(no_such, absl::StrCat(group.name, " ", meant));
}

// What `bare` names: a command, or a group where that is all there is. INVALID_ARGUMENT: neither.
absl::StatusOr<Named> NamedBy(const CompletedProgram& program, const Words& bare) {
  const CompletedCommand* const first = Find(program.commands, bare.front());
  if (first == nullptr) return NoSuchCommand(program, bare.front());
  if (first->commands.empty() || bare.size() == 1) return Named{first, first->name};
  const CompletedCommand* const second = Find(first->commands, bare[1]);
  if (second == nullptr) return NoSuchSecond(*first, bare[1]);
  return Named{second, absl::StrCat(first->name, " ", second->name)};
}

absl::Status NoSuchOption(const CompletedProgram& program, const Named& command,
                          const std::string& name) {
  if (FindAnywhere(program, name) != nullptr && command.command != nullptr) {
    Words others;
    for (const Named& other : CommandsOf(program)) {
      if (Find(other.command->options, name) != nullptr) others.push_back(other.name);
    }
    return Wrong(absl::StrCat("`", command.name, "` has no option ", name, "; ",
                              absl::StrJoin(others, ", "), others.size() == 1 ? " has" : " have"));
  }
  Words known;
  const auto add = [&](const std::vector<CompletedOption>& options) {
    for (const CompletedOption& option : options) known.push_back(option.name);
  };
  add(program.options);
  if (command.command != nullptr) {
    add(command.command->options);
  } else {
    for (const Named& each : CommandsOf(program)) add(each.command->options);
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

bool IsHelp(const std::string& name) { return name == "-h" || name == "--help"; }

// `words` with the bare word that has `before` others before it right after those.
Words WithFirst(const CompletedProgram& program, Words words, size_t before) {
  size_t at = before;
  // The first that reads so may be an option's value; the bare one is not before its own place.
  for (Words ignored; at < words.size(); ++at) {
    const Words begun(words.begin(), words.begin() + static_cast<Words::difference_type>(at + 1));
    if (BareWordsOf(program, begun, ignored).size() > before) break;
  }
  const auto place = words.begin() + static_cast<Words::difference_type>(before);
  const auto found = words.begin() + static_cast<Words::difference_type>(at);
  std::rotate(place, found, found + 1);
  return words;
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
  const bool asks_for_help = std::find_if(names.begin(), names.end(), IsHelp) != names.end();
  const bool is_known = !bare.empty() && Find(program.commands, bare.front()) != nullptr;
  // First, as the value of an option that there is not would be taken for the command.
  for (const std::string& name : names) {
    if (is_known) break;
    if (!IsHelp(name) && FindAnywhere(program, name) == nullptr) {
      return NoSuchOption(program, {}, name);
    }
  }
  if (bare.empty()) {
    if (asks_for_help || std::find(names.begin(), names.end(), "--version") != names.end()) {
      return words;
    }
    return Wrong(
        absl::StrCat("a command is needed: ", absl::StrJoin(NamesOf(program.commands), ", ")));
  }
  const absl::StatusOr<Named> command = NamedBy(program, bare);
  if (!command.ok()) return command.status();
  if (!command->command->commands.empty()) {
    if (asks_for_help) return Words{command->name, "--help"};
    return NoSuchSecond(*command->command, "");
  }
  for (const std::string& name : names) {
    if (IsHelp(name)) continue;  // of all
    if (FindAnywhere(program, name) == nullptr ||
        (Find(program.options, name) == nullptr &&
         Find(command->command->options, name) == nullptr)) {
      return NoSuchOption(program, *command, name);
    }
  }
  if (command->name == "version") return Words{"--version"};
  if (command->name == "help") {
    Words asked(bare.begin() + 1, bare.end());
    if (!asked.empty()) {
      if (const auto of = NamedBy(program, asked); !of.ok()) return of.status();
    }
    asked.emplace_back("--help");
    return asked;
  }
  const bool has_two_words = absl::StrContains(command->name, ' ');
  return WithFirst(program, WithFirst(program, words, 0), has_two_words ? 1 : 0);
}

}  // namespace pcap_client
