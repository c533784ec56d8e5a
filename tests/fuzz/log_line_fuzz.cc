// A log line: whatever bytes are logged, in both forms, it is one line of printable ASCII; JSON
// says the text that was logged, and no secret comes through.
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/log_redaction.h"
#include "service/operations/log_line.h"
#include "tests/fuzz/require.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;

std::string Line(LogFormat format, absl::string_view text, const Redact& redact) {
  std::string line;
  AppendLogLine(format, absl::UnixEpoch(), LogLevel::kInfo, text, {{"field", text}, {"code", "OK"}},
                redact, line);
  Require(absl::EndsWith(line, "\n") && IsPrintableAscii(line.substr(0, line.size() - 1)),
          "one line of printable ASCII");
  return line;
}

json Parsed(const std::string& line) {
  const json parsed = json::parse(line, nullptr, /*allow_exceptions=*/false);
  Require(parsed.is_object(), "a JSON object");
  Require(parsed.value("level", "") == "info" && parsed.value("code", "") == "OK" &&
              parsed.value("time", "") == "1970-01-01T00:00:00.000000Z",
          "with the fields that it was given");
  return parsed;
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  const std::string text(TextOf(data, size));
  const Redact as_it_is = [](absl::string_view logged) { return std::string(logged); };

  const json line = Parsed(Line(LogFormat::kJson, text, as_it_is));
  Require(line.size() == (text.empty() ? 4u : 5u), "and with no others");
  // What it says, by way of another form: each byte that is no UTF-8 is U+FFFD.
  const json said = json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
  if (text.size() <= kMostLogTextBytes) {
    Require(line["message"] == said && json(line.value("field", "")) == said,
            "the text comes back");
  } else {
    Require(absl::EndsWith(line["message"].get<std::string>(), "..."), "a long text is cut");
  }
  const std::string for_people = Line(LogFormat::kText, text, as_it_is);
  Require(absl::EndsWith(for_people, " code=OK\n"), "the last field is the last");

  const Redact redact = LogRedaction(nullptr);
  Parsed(Line(LogFormat::kJson, text, redact));
  // No escape ends in its first letter: with a "c" the text's own "\u039c" could write the rest.
  constexpr absl::string_view kCanary = "SeCrEt+0123456789";
  if (absl::StrContains(text, kCanary) || text.size() > kMostLogTextBytes / 2) return 0;
  // Words between, as what comes before may end in a name whose value is the next word.
  constexpr absl::string_view kForms[] = {
      "\nthe key: secret-access-key=",
      "\nthe key: Authorization: Bearer ",
      "\nthe key: redis://u:",
      "\nthe key: r2://b?x=",
  };
  const std::string logged = absl::StrCat(text, kForms[size % std::size(kForms)], kCanary, "@b");
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    Require(!absl::StrContains(Line(format, logged, redact), kCanary), "a secret is hidden");
  }
  return 0;
}
