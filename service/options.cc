#include "service/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "service/help/help_text.h"
#include "service/option_file.h"
#include "service/option_names.h"
#include "service/option_rules.h"
#include "service/option_table.h"
#include "service/option_values.h"
#include "service/tracing/tracing.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostConfigBytes = 1 << 20;

// The texts that CLI11 reads, by the options' names.
struct Texts {
  std::map<std::string, std::string> values;
  std::map<std::string, bool> switches;
  std::string check;
};

constexpr char kSwitchValues[] = "must be true or false";

// "" for what a switch can be set to, else what is wrong with it.
std::string CheckSwitch(const std::string& value) {
  for (const char* word : {"true", "false", "on", "off", "yes", "no", "1", "0"}) {
    if (absl::EqualsIgnoreCase(value, word)) return "";
  }
  return kSwitchValues;
}

bool IsSwitch(const CLI::Option& option) { return option.get_expected_max() == 0; }

// CLI11 would take an empty value for true.
CLI::ValidationError EmptySwitch(const CLI::Option& option) {
  return CLI::ValidationError(option.get_name(), kSwitchValues);
}

void Declare(CLI::App& app, Texts& texts) {
  for (const OptionGroup& group : OptionTable()) {
    for (const OptionRow& row : group.rows) {
      const std::string name = absl::StrCat("--", row.name);
      CLI::Option* option = nullptr;
      if (row.is_switch) {
        bool& place = texts.switches[row.name];
        place = *row.preset != '\0';
        const std::string names = place ? absl::StrCat(name, ",!--no-", row.name) : name;
        option = app.add_flag(names, place, HelpOf(row))->check(CheckSwitch);
      } else {
        std::string& place = texts.values[row.name];
        place = row.preset;
        option = app.add_option(name, place, HelpOf(row));
      }
      option->group(group.name);
    }
  }
  app.add_option("--check", texts.check,
                 "Look at all options and files, say what is wrong with them, and end; "
                 "`--check=online`: ask Cloudflare for the credential's state, too")
      ->expected(0, 1)
      ->type_name("[=online]");
}

// The options of what CLI11 has read, or what is wrong with the first that is wrong.
absl::StatusOr<Options> OptionsFrom(const Texts& texts, const Environment& environment) {
  OptionDraft draft;
  for (const OptionGroup& group : OptionTable()) {
    for (const OptionRow& row : group.rows) {
      const std::string text = !row.is_switch                ? texts.values.at(row.name)
                               : texts.switches.at(row.name) ? "true"
                                                             : "false";
      const absl::Status status = row.read(text, draft);
      if (!status.ok()) return OfOption(row.name, status);
    }
  }
  return OptionsFrom(std::move(draft), environment);
}

// Those that stand on the command line alone.
bool IsCommand(absl::string_view option) {
  return option == "help" || option == "version" || option == "check";
}

std::vector<std::string> NamesOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) names.push_back(option->get_single_name());
  return names;
}

// Name and value of the variable that sets the option; nullopt: none does.
std::optional<std::pair<std::string, absl::string_view>> VariableFor(
    absl::string_view option, const Environment& environment) {
  if (IsCommand(option)) return std::nullopt;
  std::string variable = VariableOf(option);
  if (const char* const value = environment(variable.c_str())) {
    return std::pair(std::move(variable), absl::string_view(value));
  }
  const OptionRow* const row = FindOption(option);
  if (row == nullptr || row->variable == nullptr) return std::nullopt;
  const absl::string_view value = CommonVariable(environment, row->variable);
  if (value.empty()) return std::nullopt;
  return std::pair(std::string(row->variable), value);
}

// The environment as arguments. They go before the command line's, of which the last one of a name
// wins.
std::vector<std::string> ArgumentsFrom(const CLI::App& app, const Environment& environment) {
  std::vector<std::string> arguments;
  for (const std::string& name : NamesOf(app)) {
    if (const auto variable = VariableFor(name, environment)) {
      arguments.push_back(absl::StrCat("--", name, "=", variable->second));
    }
  }
  return arguments;
}

// CLI11 takes `--name=` for a name whose value is the next argument. Makes two arguments of it, the
// second one empty; a switch has no empty value.
std::vector<std::string> WithEmptyValues(const CLI::App& app,
                                         const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (const std::string& argument : arguments) {
    absl::string_view name = argument;
    const bool ends = absl::ConsumeSuffix(&name, "=") && !absl::StrContains(name, "=");
    const CLI::Option* const option = ends ? app.get_option_no_throw(std::string(name)) : nullptr;
    if (option == nullptr) {
      result.push_back(argument);
      continue;
    }
    if (IsSwitch(*option)) throw EmptySwitch(*option);
    result.emplace_back(name);
    result.emplace_back();
  }
  return result;
}

// Whether it may be repeated in a message: a token has capitals, or is longer than any name.
bool LooksLikeAName(absl::string_view text) {
  return !text.empty() && text.size() <= 30 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

// The --config file, for CLI11 to put below what the command line and the environment say.
class OptionFile final : public CLI::Config {
 public:
  // Notes in `lines` on which line each option stands.
  OptionFile(const CLI::App& app, std::map<std::string, int>& lines) : app_(app), lines_(lines) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return ""; }

  std::vector<CLI::ConfigItem> from_config(std::istream& file) const override {
    const absl::StatusOr<std::vector<OptionLine>> lines = OptionLinesFrom(file);
    if (!lines.ok()) throw Error(lines.status().message());
    std::vector<CLI::ConfigItem> items;
    for (const OptionLine& line : *lines) {
      const CLI::Option* const option = app_.get_option_no_throw(absl::StrCat("--", line.name));
      if (option == nullptr || !option->get_configurable() || IsCommand(line.name)) {
        throw Error(absl::StrCat("line ", line.number, ": ", NoSuchOption(line.name)));
      }
      if (line.value.empty() && IsSwitch(*option)) throw EmptySwitch(*option);
      CLI::ConfigItem& item = items.emplace_back();
      item.name = line.name;
      item.inputs = {line.value};
      lines_[line.name] = line.number;
    }
    return items;
  }

 private:
  static CLI::ConfigError Error(absl::string_view what) {
    return {absl::StrCat("--config: ", what), CLI::ExitCodes::ConfigError};
  }

  std::string NoSuchOption(absl::string_view name) const {
    if (!LooksLikeAName(name)) return "there is no such option for a file";
    return absl::StrCat("there is no such option for a file: ", name,
                        DidYouMean(name, NamesOf(app_)));
  }

  const CLI::App& app_;
  std::map<std::string, int>& lines_;
};

// What nobody asked for. Words that are no names are not repeated: one may be a token.
std::string Unexpected(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<absl::string_view> names;
  for (const absl::string_view argument : arguments) {
    const absl::string_view name = argument.substr(0, argument.find('='));
    if (absl::StartsWith(name, "--") && LooksLikeAName(name.substr(2))) names.push_back(name);
  }
  if (names.empty()) return "a stray argument: options begin with -- (see --help)";
  return absl::StrCat(absl::StrJoin(names, ", "), ": there is no such option",
                      names.size() == 1 ? DidYouMean(names[0].substr(2), NamesOf(app)) : "",
                      " (see --help)");
}

EarlyExit Unusable(const absl::Status& status) {
  std::string line(status.message());
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); }, ' ');
  return {ExitCodeOf(status), absl::StrCat("pcap-gateway: ", absl::StripAsciiWhitespace(line))};
}

bool IsWithoutValue(const CLI::ParseError& error) {
  return dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr;
}

// Of an option that needs a value and has none, CLI11 says "1 required TEXT missing".
std::string Readable(const CLI::ParseError& error) {
  const absl::string_view what = error.what();
  const absl::string_view name = what.substr(0, what.find(':'));
  if (!IsWithoutValue(error)) return std::string(what);
  return absl::StrCat(name, ": needs a value: ", name, "=VALUE");
}

// CLI11 does not say why a file cannot be read.
absl::Status ConfigUnreadable(const std::string& path) {
  const absl::StatusOr<std::string> content = ContentOf(path, kMostConfigBytes);
  if (!content.ok()) return OfOption("config", content.status());
  return absl::UnavailableError("--config: cannot be read");
}

// All that can be set, as it is now. `lines`: those of the --config file, by the option they set.
std::vector<Setting> SettingsOf(const CLI::App& app, const std::vector<std::string>& arguments,
                                const Environment& environment,
                                const std::map<std::string, int>& lines) {
  const auto is_flag = [&arguments](absl::string_view name) {
    return std::any_of(arguments.begin(), arguments.end(), [name](absl::string_view argument) {
      if (!absl::ConsumePrefix(&argument, "--")) return false;
      const absl::string_view given = argument.substr(0, argument.find('='));
      return given == name || given == absl::StrCat("no-", name);
    });
  };
  std::vector<Setting> settings;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_single_name();
    if (IsCommand(name)) continue;
    Setting& setting = settings.emplace_back();
    setting.name = name;
    const auto variable = VariableFor(name, environment);
    if (is_flag(name)) {
      setting.source = "the command line";
    } else if (variable.has_value()) {
      setting.source = variable->first;
    } else if (const auto line = lines.find(name); line != lines.end()) {
      setting.source = absl::StrCat(ShownValue("config", app.get_config_ptr()->as<std::string>()),
                                    ", line ", line->second);
    }
    setting.value = ShownValue(
        name, option->count() > 0 ? option->results().back() : option->get_default_str());
  }
  return settings;
}

// Fills the texts, which Declare bound to `app`; nullopt: go on.
std::optional<EarlyExit> Parse(CLI::App& app, const std::vector<std::string>& arguments,
                               const Environment& environment) {
  try {
    std::vector<std::string> all = ArgumentsFrom(app, environment);
    all.insert(all.end(), arguments.begin(), arguments.end());
    all = WithEmptyValues(app, all);
    std::reverse(all.begin(), all.end());  // CLI11 takes them from the back
    app.parse(all);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{0, std::string(absl::StripTrailingAsciiWhitespace(app.help()))};
  } catch (const CLI::CallForVersion&) {
    return EarlyExit{0, app.version()};
  } catch (const CLI::ExtrasError&) {
    return Unusable(absl::InvalidArgumentError(Unexpected(app, app.remaining())));
  } catch (const CLI::FileError&) {
    return Unusable(Explained(ConfigUnreadable(app.get_config_ptr()->as<std::string>()),
                              SettingsOf(app, arguments, environment, {})));
  } catch (const CLI::ParseError& error) {
    const absl::Status status = absl::InvalidArgumentError(Readable(error));
    if (IsWithoutValue(error)) return Unusable(status);
    return Unusable(Explained(status, SettingsOf(app, arguments, environment, {})));
  }
}

absl::StatusOr<Options::Check> CheckFrom(absl::string_view text) {
  if (text.empty()) return Options::Check::kFiles;
  if (text == "online") return Options::Check::kOnline;
  return absl::InvalidArgumentError("must stand alone, or with `online`: --check=online");
}

}  // namespace

std::variant<Options, EarlyExit> ReadOptions(const std::vector<std::string>& arguments,
                                             const Environment& environment,
                                             const std::vector<std::string>& variables) {
  Texts texts;
  CLI::App app(
      "Works with Cloudflare packet captures for gRPC callers: typed, cached, within the rate "
      "limit.",
      "pcap-gateway");
  app.formatter_fn(HelpText);
  app.option_defaults()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->always_capture_default();
  app.set_version_flag("--version",
                       absl::StrCat("pcap-gateway ", PCAP_GATEWAY_VERSION, "\ngRPC ",
                                    PCAP_GATEWAY_GRPC_BUILD, "\nRedis over TLS (rediss://): ",
                                    HasRedisTls() ? "yes" : "no, hiredis_ssl is not there",
                                    "\nSpans (OpenTelemetry): ",
                                    HasTracing() ? "yes" : "no, opentelemetry-cpp is not there"));
  app.set_config("--config", "", "File of `name = value` lines, one an option");
  std::map<std::string, int> lines;
  app.config_formatter(std::make_shared<OptionFile>(app, lines));
  app.footer(
      "Each option is also an environment variable, PCAP_GATEWAY_ and its name in capitals with _ "
      "for -,\nand a line of the --config file. Flags come first, then the environment, then the "
      "file.");
  Declare(app, texts);

  if (std::optional<EarlyExit> exit = Parse(app, arguments, environment)) return *std::move(exit);
  std::vector<Setting> settings = SettingsOf(app, arguments, environment, lines);
  absl::StatusOr<Options> options = OptionsFrom(texts, environment);
  if (options.ok() && app.get_option("--check")->count() > 0) {
    const absl::StatusOr<Options::Check> check = CheckFrom(texts.check);
    if (check.ok()) {
      options->check = *check;
    } else {
      options = OfOption("check", check.status());
    }
  }
  if (!options.ok()) return Unusable(Explained(options.status(), settings));
  options->settings = std::move(settings);
  for (std::string& warning : UnknownVariables(variables, NamesOf(app))) {
    options->warnings.push_back(std::move(warning));
  }
  options->admin_listen_is_explicit = app.get_option("--admin-listen")->count() > 0;
  options->upstream_limit_is_explicit = app.get_option("--upstream-limit")->count() > 0;
  return *std::move(options);
}

}  // namespace pcap_gateway
