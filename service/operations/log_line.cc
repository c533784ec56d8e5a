#include "service/operations/log_line.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

struct LevelWords {
  absl::string_view name;
  absl::string_view padded;  // to one width, for people
  absl::string_view colour;  // ECMA-48, 8.3.117: select graphic rendition
};

const LevelWords& WordsOf(LogLevel level) {
  static constexpr LevelWords kWords[] = {
      {"debug", "DEBUG", "\x1b[36m"},
      {"info", "INFO ", "\x1b[32m"},
      {"warn", "WARN ", "\x1b[33m"},
      {"error", "ERROR", "\x1b[31m"},
  };
  return kWords[static_cast<int>(level)];
}

// RFC 3339.
std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

bool StandsForItselfInJson(unsigned char c) {
  return absl::ascii_isprint(c) && c != '"' && c != '\\';
}

// A JSON string, quotes included, of ASCII alone. nlohmann escapes control characters, DEL, and
// with `ensure_ascii` all that is beyond ASCII; few texts have any of these.
std::string Quoted(absl::string_view text) {
  if (std::all_of(text.begin(), text.end(), StandsForItselfInJson)) {
    return absl::StrCat("\"", text, "\"");
  }
  return nlohmann::json(std::string(text))
      .dump(/*indent=*/-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
}

// Without secrets, and not too long. Cut after it is redacted: half a secret's name would hide
// nothing. Not within a character.
std::string Shown(absl::string_view text, const Redact& redact) {
  std::string shown = redact(text);
  if (shown.size() <= kMostLogTextBytes) return shown;
  size_t end = kMostLogTextBytes;
  while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80) --end;
  shown.resize(end);
  return shown + "...";
}

// A text that stands for itself in a line for people: nothing to escape, and nothing that reads as
// a field.
bool IsPlain(absl::string_view text, bool blanks) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [blanks](unsigned char c) {
    return (absl::ascii_isgraph(c) && c != '"' && c != '=' && c != '\\') || (blanks && c == ' ');
  });
}

std::string NumberText(double number) {
  if (!std::isfinite(number)) return "null";
  std::array<char, 400> text;  // the longest double has 309 digits before its point
  const int size = std::snprintf(text.data(), text.size(), "%.3f", number);
  return std::string(text.data(), size);
}

// The value as JSON has it, or for people: without quotes where it needs none.
std::string ValueText(const LogField& field, bool for_people, const Redact& redact) {
  if (const auto* text = std::get_if<absl::string_view>(&field.value)) {
    std::string shown = Shown(*text, redact);
    return for_people && IsPlain(shown, /*blanks=*/false) ? shown : Quoted(shown);
  }
  if (const auto* number = std::get_if<double>(&field.value)) return NumberText(*number);
  if (const auto* yes = std::get_if<bool>(&field.value)) return *yes ? "true" : "false";
  return absl::StrCat(std::get<int64_t>(field.value));
}

bool IsEmpty(const LogField& field) {
  const auto* text = std::get_if<absl::string_view>(&field.value);
  return text != nullptr && text->empty();
}

}  // namespace

absl::string_view NameOf(LogLevel level) { return WordsOf(level).name; }

void AppendLogLine(LogFormat format, absl::Time time, LogLevel level, absl::string_view message,
                   absl::Span<const LogField> fields, const Redact& redact, std::string& out) {
  const LevelWords& words = WordsOf(level);
  const std::string shown = Shown(message, redact);
  const bool for_people = format != LogFormat::kJson;
  if (format == LogFormat::kJson) {
    absl::StrAppend(&out, "{\"time\":\"", TimeText(time), "\",\"level\":\"", words.name,
                    "\",\"message\":", Quoted(shown));
  } else {
    const bool coloured = format == LogFormat::kColouredText;
    absl::StrAppend(&out, TimeText(time), " ", coloured ? words.colour : "", words.padded,
                    coloured ? "\x1b[0m" : "", " ",
                    IsPlain(shown, /*blanks=*/true) ? shown : Quoted(shown),
                    fields.empty() ? "" : " ");
  }
  for (const LogField& field : fields) {
    if (IsEmpty(field)) continue;
    const std::string value = ValueText(field, for_people, redact);
    if (for_people) {
      absl::StrAppend(&out, " ", field.name, "=", value);
    } else {
      absl::StrAppend(&out, ",\"", field.name, "\":", value);
    }
  }
  absl::StrAppend(&out, for_people ? "\n" : "}\n");
}

std::string OneLine(absl::string_view text) {
  const std::string quoted = Quoted(text);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace pcap_gateway
