#include "client/pcapctl/completion.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace pcap_client {
namespace {

std::string NamesOf(const std::vector<CompletedOption>& options) {
  return absl::StrJoin(options, " ", [](std::string* out, const CompletedOption& option) {
    absl::StrAppend(out, option.name);
  });
}

std::string NamesOf(const std::vector<CompletedCommand>& commands, absl::string_view separator) {
  return absl::StrJoin(commands, separator, [](std::string* out, const CompletedCommand& command) {
    absl::StrAppend(out, command.name);
  });
}

// Both of its names, or the one that it has, with `separator` between them.
std::string BothNames(const CompletedOption& option, absl::string_view separator) {
  if (option.short_name.empty()) return option.name;
  return absl::StrCat(option.short_name, separator, option.name);
}

// For a text between single quotes, in any of the three shells.
std::string Quoted(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"'", "’"}, {"\\", ""}});
}

// What may stand after the command's name.
std::string WordsAfter(const CompletedCommand& command) {
  return command.commands.empty() ? absl::StrJoin(command.words, " ")
                                  : NamesOf(command.commands, " ");
}

std::string ContextsOf(const CompletedProgram& program) {
  return absl::StrCat(program.name, " contexts --names 2>/dev/null");
}

// --- bash

// The lines that complete the value of `option`, which is the word before.
std::string BashValue(const CompletedProgram& program, const CompletedOption& option) {
  const std::string begin = absl::StrCat("    ", BothNames(option, "|"), ")\n      ");
  switch (option.value) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kText:
      return absl::StrCat(begin, "return ;;\n");
    case ValueKind::kFile:
      // So that a folder gets a slash, and no blank; what has blanks is quoted by bash itself.
      return absl::StrCat(begin, "compopt -o filenames 2>/dev/null\n      ",
                          "while IFS= read -r word; do COMPREPLY+=(\"$word\"); done",
                          " < <(compgen -f -- \"$current\")\n      return ;;\n");
    case ValueKind::kContext:
      return absl::StrCat(begin, "_", program.name, "_lines < <(", ContextsOf(program),
                          "); return ;;\n");
    case ValueKind::kOneOf:
      return absl::StrCat(begin, "COMPREPLY=($(compgen -W '", absl::StrJoin(option.words, " "),
                          "' -- \"$current\")); return ;;\n");
  }
  return "";
}

// Offers the lines of stdin that begin with what is typed, each as one word and none as a command:
// a name may be `$(reboot)`. What is typed may have begun with a quote, which bash keeps and ends;
// then only what works within it is escaped, and else all.
constexpr absl::string_view kBashLines = R"sh(_lines() {
  local line word quote=
  case $current in [\"\']*) quote=${current:0:1} ;; esac
  while IFS= read -r line; do
    case $quote in
      '') printf -v word %q "$line" ;;
      \") word=${line//\\/\\\\}; word=${word//\"/\\\"}; word=${word//\`/\\\`}; word=${word//\$/\\\$} ;;
      *) word=${line//\'/\'\\\'\'} ;;
    esac
    [[ $word == "${current#"$quote"}"* ]] && COMPREPLY+=("$word")
  done
}
)sh";

// What is offered after `command`, which the words `pattern` name.
std::string BashCommand(const CompletedProgram& program, const CompletedCommand& command,
                        absl::string_view pattern) {
  std::string lines = absl::StrCat("    ", pattern, ")\n");
  if (!command.before_context.empty()) {
    absl::StrAppend(&lines, "      case $before in ", absl::StrJoin(command.before_context, "|"),
                    ") _", program.name, "_lines < <(", ContextsOf(program), "); return ;; esac\n");
  }
  const std::string words = WordsAfter(command);
  absl::StrAppend(&lines, "      word='", words, words.empty() ? "" : " ", NamesOf(command.options),
                  " ", NamesOf(program.options), "' ;;\n");
  return lines;
}

std::string BashScript(const CompletedProgram& program) {
  std::string script =
      absl::StrCat("# bash completion for ", program.name, "\n_", program.name, kBashLines, "_",
                   program.name, "() {\n",
                   "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} "
                   "command= word\n",
                   "  COMPREPLY=()\n",
                   // For bash, --output=json is three words.
                   "  if [ \"$current\" = = ]; then current=\n",
                   "  elif [ \"$before\" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}\n  fi\n",
                   // Of the command, one word or two.
                   "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n",
                   "    case $command:$word in\n      :", NamesOf(program.commands, "|:"),
                   ") command=$word ;;\n");
  for (const CompletedCommand& command : program.commands) {
    for (const CompletedCommand& second : command.commands) {
      absl::StrAppend(&script, "      ", command.name, ":", second.name, ") command+=' ",
                      second.name, "' ;;\n");
    }
  }
  absl::StrAppend(&script, "    esac\n  done\n  case $before in\n");
  std::vector<CompletedOption> with_value = program.options;
  const auto add = [&](const CompletedCommand& command) {
    with_value.insert(with_value.end(), command.options.begin(), command.options.end());
  };
  for (const CompletedCommand& command : program.commands) {
    add(command);
    for (const CompletedCommand& second : command.commands) add(second);
  }
  // One name has one meaning, whichever command it is of; a second branch would never be reached.
  for (const CompletedOption& option : with_value) {
    const std::string lines = BashValue(program, option);
    if (script.find(absl::StrCat("\n    ", BothNames(option, "|"), ")\n")) == std::string::npos) {
      script += lines;
    }
  }
  absl::StrAppend(&script, "  esac\n  case $command in\n");
  for (const CompletedCommand& command : program.commands) {
    script += BashCommand(program, command, command.name);
    for (const CompletedCommand& second : command.commands) {
      script +=
          BashCommand(program, second, absl::StrCat("'", command.name, " ", second.name, "'"));
    }
  }
  absl::StrAppend(&script, "    *)\n      word='", NamesOf(program.commands, " "), " ",
                  NamesOf(program.options), "' ;;\n  esac\n",
                  "  COMPREPLY=($(compgen -W \"$word\" -- \"$current\"))\n}\n", "complete -F _",
                  program.name, " ", program.name, "\n");
  return script;
}

// --- zsh

std::string ZshContexts(const CompletedProgram& program) {
  return absl::StrCat("compadd -- \"${(@f)$(", ContextsOf(program), ")}\"");
}

std::string ZshOption(const CompletedProgram& program, const CompletedOption& option) {
  // In _arguments' own language a bracket ends the explanation.
  const std::string help = absl::StrReplaceAll(Quoted(option.help), {{"[", "("}, {"]", ")"}});
  const std::string names =
      option.short_name.empty() ? option.name : absl::StrCat("{", BothNames(option, ","), "}");
  const std::string begin = absl::StrCat(names, "'[", help, "]");
  switch (option.value) {
    case ValueKind::kNone:
      return absl::StrCat(begin, "'");
    case ValueKind::kText:
      return absl::StrCat(begin, ":value: '");
    case ValueKind::kFile:
      return absl::StrCat(begin, ":file:_files'");
    case ValueKind::kContext:
      return absl::StrCat(begin, ":context:{", ZshContexts(program), "}'");
    case ValueKind::kOneOf:
      return absl::StrCat(begin, ":value:(", absl::StrJoin(option.words, " "), ")'");
  }
  return "";
}

std::string ZshOptions(const CompletedProgram& program,
                       const std::vector<CompletedOption>& options) {
  std::string lines;
  for (const CompletedOption& option : options) {
    absl::StrAppend(&lines, " \\\n        ", ZshOption(program, option));
  }
  return lines;
}

// What completes the words after a command: options, and what its first argument may be.
std::string ZshCommand(const CompletedProgram& program, const CompletedCommand& command) {
  std::string lines = absl::StrCat(
      "        ", command.name, ")\n        _arguments", command.commands.empty() ? "" : " -C",
      ZshOptions(program, command.options), ZshOptions(program, program.options));
  if (const std::string words = WordsAfter(command); !words.empty()) {
    absl::StrAppend(&lines, " \\\n        '1:argument:(", words, ")'");
  }
  if (!command.before_context.empty()) {
    absl::StrAppend(&lines, " \\\n        '2:context:{[[ $words[CURRENT-1] == (",
                    absl::StrJoin(command.before_context, "|"), ") ]] && ", ZshContexts(program),
                    "}'");
  }
  if (!command.commands.empty()) {
    absl::StrAppend(&lines, " \\\n        '*:: :->second'\n",
                    "        [ \"$state\" != second ] || case $line[1] in\n");
    for (const CompletedCommand& second : command.commands) lines += ZshCommand(program, second);
    lines += "        esac";
  }
  return lines + "\n        ;;\n";
}

std::string ZshScript(const CompletedProgram& program) {
  std::string script =
      absl::StrCat("#compdef ", program.name, "\n_", program.name,
                   "() {\n  local -a commands\n  local state line\n  commands=(\n");
  for (const CompletedCommand& command : program.commands) {
    absl::StrAppend(&script, "    '", command.name, ":", Quoted(command.help), "'\n");
  }
  absl::StrAppend(&script, "  )\n  _arguments -C", ZshOptions(program, program.options),
                  " \\\n        '1: :->command' '*:: :->argument'\n",
                  "  case $state in\n    command) _describe command commands ;;\n",
                  "    argument)\n      case $line[1] in\n");
  for (const CompletedCommand& command : program.commands) script += ZshCommand(program, command);
  absl::StrAppend(&script, "      esac ;;\n  esac\n}\n",
                  // Read by `source`, or found in $fpath and run.
                  "if [ \"$funcstack[1]\" = _", program.name, " ]; then\n  _", program.name,
                  " \"$@\"\nelse\n  compdef _", program.name, " ", program.name, "\nfi\n");
  return script;
}

// --- fish

std::string FishOption(const CompletedProgram& program, const CompletedOption& option,
                       absl::string_view condition) {
  std::string line = absl::StrCat(
      "complete -c ", program.name, condition,
      option.short_name.empty() ? "" : absl::StrCat(" -s ", option.short_name.substr(1)), " -l ",
      option.name.substr(2), " -d '", Quoted(option.help), "'");
  switch (option.value) {
    case ValueKind::kNone:
      break;
    case ValueKind::kText:
      absl::StrAppend(&line, " -x");
      break;
    case ValueKind::kFile:
      absl::StrAppend(&line, " -r -F");
      break;
    case ValueKind::kContext:
      absl::StrAppend(&line, " -x -a '(", ContextsOf(program), ")'");
      break;
    case ValueKind::kOneOf:
      absl::StrAppend(&line, " -x -a '", absl::StrJoin(option.words, " "), "'");
      break;
  }
  return line + "\n";
}

// What is offered once the words of `seen` are typed, which name `command`.
std::string FishCommand(const CompletedProgram& program, const CompletedCommand& command,
                        absl::string_view seen) {
  std::string script;
  const std::string condition = absl::StrCat(" -n '", seen, "'");
  for (const CompletedOption& option : command.options) {
    script += FishOption(program, option, condition);
  }
  const std::string words = WordsAfter(command);
  const std::string begin = absl::StrCat("complete -c ", program.name, " -n '", seen);
  if (words.empty()) return script;
  if (command.before_context.empty() && command.commands.empty()) {
    absl::StrAppend(&script, begin, "' -a '", words, "'\n");
    return script;
  }
  absl::StrAppend(&script, begin, "; and not __fish_seen_subcommand_from ", words, "' -a '", words,
                  "'\n");
  if (!command.before_context.empty()) {
    absl::StrAppend(&script, begin, "; and __fish_seen_subcommand_from ",
                    absl::StrJoin(command.before_context, " "), "' -x -a '(", ContextsOf(program),
                    ")'\n");
  }
  for (const CompletedCommand& second : command.commands) {
    script += FishCommand(program, second,
                          absl::StrCat(seen, "; and __fish_seen_subcommand_from ", second.name));
  }
  return script;
}

std::string FishScript(const CompletedProgram& program) {
  std::string script = absl::StrCat("# fish completion for ", program.name, "\n", "complete -c ",
                                    program.name, " -f\n");
  for (const CompletedOption& option : program.options) {
    script += FishOption(program, option, "");
  }
  for (const CompletedCommand& command : program.commands) {
    absl::StrAppend(&script, "complete -c ", program.name, " -n __fish_use_subcommand -a ",
                    command.name, " -d '", Quoted(command.help), "'\n");
    script +=
        FishCommand(program, command, absl::StrCat("__fish_seen_subcommand_from ", command.name));
  }
  return script;
}

}  // namespace

std::string CompletionScript(const CompletedProgram& program, Shell shell) {
  switch (shell) {
    case Shell::kBash:
      return BashScript(program);
    case Shell::kZsh:
      return ZshScript(program);
    case Shell::kFish:
      return FishScript(program);
  }
  return "";
}

}  // namespace pcap_client
