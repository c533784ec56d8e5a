#include "service/help/help_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {
namespace {

constexpr size_t kColumn = 30;

// `meaning` stands beside `word`, or below it where that is too long.
void AppendRow(absl::string_view word, absl::string_view meaning, std::string& text) {
  absl::StrAppend(&text, "  ", word);
  if (!meaning.empty()) {
    size_t used = word.size() + 2;
    if (used >= kColumn) {
      text += '\n';
      used = 0;
    }
    absl::StrAppend(&text, std::string(kColumn - used, ' '), meaning);
  }
  text += '\n';
}

bool IsRepeated(const CLI::Option& option) {
  return option.get_expected_max() == CLI::detail::expected_max_vector_size;
}

// The option with what has to be known before its meaning: `--name TEXT=default`.
std::string WordOf(const CLI::Option& option) {
  const bool is_positional = option.get_positional();
  std::string word = option.get_name(is_positional, !is_positional);
  if (option.get_type_size() != 0) {
    if (!option.get_type_name().empty()) absl::StrAppend(&word, " ", option.get_type_name());
    if (!option.get_default_str().empty()) absl::StrAppend(&word, "=", option.get_default_str());
    if (IsRepeated(option)) word += " ...";
    if (option.get_required()) word += " REQUIRED";
  }
  if (!option.get_envname().empty()) absl::StrAppend(&word, " (Env:", option.get_envname(), ")");
  for (const CLI::Option* const other : option.get_excludes()) {
    absl::StrAppend(&word, " Excludes: ", other->get_name());
  }
  return word;
}

std::vector<const CLI::Option*> PositionalsOf(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string UsageOf(const CLI::App& app, const std::string& name) {
  std::string usage = absl::StrCat("Usage: ", name, " [OPTIONS]");
  for (const CLI::Option* const option : PositionalsOf(app)) {
    const std::string word = absl::StrCat(option->get_name(), IsRepeated(*option) ? "..." : "");
    absl::StrAppend(&usage, " ", option->get_required() ? word : absl::StrCat("[", word, "]"));
  }
  if (!CommandsOf(app).empty()) usage += " [SUBCOMMAND]";
  return usage;
}

void AppendOptions(absl::string_view title, const std::vector<const CLI::Option*>& options,
                   std::string& text) {
  if (options.empty()) return;
  absl::StrAppend(&text, "\n", title, ":\n");
  for (const CLI::Option* const option : options) {
    AppendRow(WordOf(*option), option->get_description(), text);
  }
}

}  // namespace

std::string HelpText(const CLI::App* app, const std::string& name, CLI::AppFormatMode) {
  std::string text = absl::StrCat(app->get_description(), "\n", UsageOf(*app, name), "\n");
  AppendOptions("Positionals", PositionalsOf(*app), text);
  // CLI11 calls the group of options that are in none `Options` or `OPTIONS`.
  const std::string without_group = app->get_help_ptr()->get_group();
  for (const std::string& group : app->get_groups()) {
    AppendOptions(group == without_group ? "Options" : group,
                  app->get_options([&group](const CLI::Option* option) {
                    return option->nonpositional() && option->get_group() == group;
                  }),
                  text);
  }
  if (const std::vector<const CLI::App*> commands = CommandsOf(*app); !commands.empty()) {
    text += "\nSubcommands:\n";
    for (const CLI::App* const command : commands) {
      AppendRow(command->get_name(), command->get_description(), text);
    }
  }
  absl::StrAppend(&text, "\n", app->get_footer(), "\n");
  return text;
}

}  // namespace pcap_gateway
