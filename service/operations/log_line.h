// LogLine: one event as one line, for a collector (JSON) or for a person (text).
//
//   {"time":"2026-11-23T19:30:00.123456Z","level":"warn","message":"Redis is down","retry_s":1}
//   2026-11-23T19:30:00.123456Z WARN  Redis is down  retry_s=1
//
// Whatever the texts hold, a line is one line of printable ASCII: JSON (RFC 8259) in which all that
// is not ASCII is escaped as \uXXXX, invalid UTF-8 as \ufffd. So nothing in a text begins another
// line, moves a terminal's cursor, turns the direction of reading, or passes for a field.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_LINE_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_LINE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace pcap_gateway {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// "debug", "info", "warn", "error".
absl::string_view NameOf(LogLevel level);

enum class LogFormat { kJson, kText, kColouredText };

struct LogField {
  // Of [a-z0-9_], and no other field's of the line. It is written as it is: a literal of ours,
  // never foreign text. An empty text is no field at all.
  absl::string_view name;
  std::variant<absl::string_view, int64_t, double, bool> value;
};

// What every text passes before it is written: takes out secrets. Thread-safe.
using Redact = std::function<std::string(absl::string_view)>;

// Of a text, after `redact`, no more is written than this many bytes and "...".
inline constexpr size_t kMostLogTextBytes = 1024;

// Appends the line and its "\n". Doubles have three decimals; one that is no number is null.
void AppendLogLine(LogFormat format, absl::Time time, LogLevel level, absl::string_view message,
                   absl::Span<const LogField> fields, const Redact& redact, std::string& out);

// `text` within a line that is not a log's, such as one on stderr before there is a log: escaped as
// above, without quotes around it.
std::string OneLine(absl::string_view text);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_LINE_H_
