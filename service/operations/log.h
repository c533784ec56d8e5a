// Log: what the program says of itself, one line an event.
//
//   Log log({.level = LogLevel::kInfo, .redact = hide_secrets}, FileOutput::Stderr());
//   log.Write(LogLevel::kInfo, "draining", {{"signal", 15}});
//
// Writing never waits: a line goes into a queue of limited size, and a thread takes it to the
// output. Where that is slower than lines come, or does not take them at all (a full disk, a pipe
// that nobody reads), the oldest lines are dropped; when it takes lines again, the first one says
// how many are missing. Nothing that happens to the output harms who logs.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/operations/log_line.h"
#include "service/operations/log_output.h"

namespace pcap_gateway {

struct LogSettings {
  LogFormat format = LogFormat::kJson;
  LogLevel level = LogLevel::kInfo;  // what is below is not written
  Redact redact;                     // never empty
  std::function<absl::Time()> now = absl::Now;
  size_t most_waiting = 2048;  // lines
  // How long the end waits for an output that takes what is left.
  absl::Duration patience = absl::Seconds(1);
};

// Thread-safe.
class Log {
 public:
  Log(LogSettings settings, std::unique_ptr<LogOutput> output);

  // What was written before has come to the output, unless that did not take it in time. Nobody
  // writes any more.
  ~Log();

  // Whether a line of that level would be written: for who has work to do before Write.
  bool Takes(LogLevel level) const { return level >= settings_.level; }

  void Write(LogLevel level, absl::string_view message, absl::Span<const LogField> fields);
  void Write(LogLevel level, absl::string_view message,
             std::initializer_list<LogField> fields = {}) {
    Write(level, message, absl::Span<const LogField>(fields.begin(), fields.size()));
  }

  // From now to this object's end, what is said through spdlog's own functions (`spdlog::warn(…)`)
  // becomes a line here.
  void TakeOverSpdlog();

  // After a log file was renamed: goes on in a new one. Says in the log how that went, too.
  absl::Status Reopen();

  // Lines that never came to the output, since the start.
  uint64_t dropped() const;

 private:
  class Queue;

  const LogSettings settings_;
  std::unique_ptr<Queue> queue_;  // with its thread, which the end may have to leave behind
  bool has_spdlog_ = false;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_H_
