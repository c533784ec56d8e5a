#include "service/operations/log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"

namespace pcap_gateway {
namespace {

// How long the thread rests once it has written all lines that came. Whoever logs while it waits
// for a line has to wake it, which costs a call that is logged more than its line does; at most
// once in this time then.
constexpr std::chrono::milliseconds kRest{5};

LogLevel LevelOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return LogLevel::kDebug;
    case spdlog::level::warn:
      return LogLevel::kWarn;
    case spdlog::level::err:
    case spdlog::level::critical:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

absl::string_view View(spdlog::string_view_t text) { return {text.data(), text.size()}; }

// Lines are made before they are queued; spdlog's own pattern has no part in them.
class WholeLineSink : public spdlog::sinks::sink {
 public:
  void set_pattern(const std::string&) final {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) final {}
};

// Hands what others say through spdlog to a Log.
class ForwardingSink final : public WholeLineSink {
 public:
  explicit ForwardingSink(Log& log) : log_(log) {}

  void log(const spdlog::details::log_msg& message) override {
    log_.Write(LevelOf(message.level), View(message.payload));
  }
  void flush() override {}

 private:
  Log& log_;
};

// On the queue's thread: what comes out of it goes to the output.
class OutputSink final : public WholeLineSink {
 public:
  OutputSink(const LogSettings& settings, std::unique_ptr<LogOutput> output)
      : settings_(settings), output_(std::move(output)) {}

  // Before the first line. The pool outlives its thread's use of this.
  void set_pool(spdlog::details::thread_pool& pool) { pool_ = &pool; }

  LogOutput& output() { return *output_; }

  uint64_t dropped() const { return pool_->overrun_counter() + unwritten_.load(); }

  void log(const spdlog::details::log_msg& message) override {
    if (!TellDropped() || !output_->Write(View(message.payload))) unwritten_.fetch_add(1);
    if (pool_->queue_size() == 0) std::this_thread::sleep_for(kRest);
  }

  void flush() override {
    TellDropped();
    const Lock lock(mutex_);
    ++flushes_;
    flushed_.NotifyAll();
  }

  // False: not within that time.
  bool AwaitFlush(absl::Duration patience) {
    Lock lock(mutex_);
    return flushed_.WaitFor(lock, absl::ToChronoNanoseconds(patience),
                            [this]()
                                ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return flushes_ > 0; });
  }

 private:
  // False: there is something to tell, and the output does not take it.
  bool TellDropped() {
    const uint64_t dropped = this->dropped();
    if (dropped == told_) return true;
    std::string line;
    AppendLogLine(settings_.format, settings_.now(), LogLevel::kWarn, "log lines were dropped",
                  {{"dropped", static_cast<int64_t>(dropped - told_)}}, settings_.redact, line);
    if (!output_->Write(line)) return false;
    told_ = dropped;
    return true;
  }

  const LogSettings settings_;
  const std::unique_ptr<LogOutput> output_;
  spdlog::details::thread_pool* pool_ = nullptr;
  std::atomic<uint64_t> unwritten_{0};
  uint64_t told_ = 0;  // of dropped()

  Mutex mutex_;
  Condition flushed_;
  int flushes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

class Log::Queue {
 public:
  Queue(const LogSettings& settings, std::unique_ptr<LogOutput> output)
      : sink_(std::make_shared<OutputSink>(settings, std::move(output))),
        pool_(std::make_shared<spdlog::details::thread_pool>(settings.most_waiting, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "pcap-gateway", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest)) {
    sink_->set_pool(*pool_);
  }

  // First the thread ends, then what it uses.
  ~Queue() { pool_.reset(); }

  void Push(absl::string_view line) {
    // A level that spdlog lets through, as what is to be written is known by then.
    logger_->log(spdlog::level::critical, spdlog::string_view_t(line.data(), line.size()));
  }

  LogOutput& output() { return sink_->output(); }
  uint64_t dropped() const { return sink_->dropped(); }

  // Whether the thread has written all that came, within that time.
  bool Finish(absl::Duration patience) {
    logger_->flush();
    return sink_->AwaitFlush(patience);
  }

 private:
  const std::shared_ptr<OutputSink> sink_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  const std::shared_ptr<spdlog::async_logger> logger_;
};

Log::Log(LogSettings settings, std::unique_ptr<LogOutput> output)
    : settings_(std::move(settings)),
      queue_(std::make_unique<Queue>(settings_, std::move(output))) {}

Log::~Log() {
  if (has_spdlog_) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
  }
  if (queue_->Finish(settings_.patience)) return;
  // Its thread waits for an output that takes nothing, for how long nobody knows; the pool's end
  // would wait with it. The process ends without them.
  static std::atomic<Queue*> left_behind{nullptr};
  left_behind.store(queue_.release());
}

void Log::Write(LogLevel level, absl::string_view message, absl::Span<const LogField> fields) {
  if (!Takes(level)) return;
  std::string line;
  AppendLogLine(settings_.format, settings_.now(), level, message, fields, settings_.redact, line);
  queue_->Push(line);
}

void Log::TakeOverSpdlog() {
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<ForwardingSink>(*this));
  logger->set_level(spdlog::level::trace);  // which lines are written is decided in Write
  spdlog::set_default_logger(std::move(logger));
  has_spdlog_ = true;
}

absl::Status Log::Reopen() {
  const absl::Status status = queue_->output().Reopen();
  if (status.ok()) {
    Write(LogLevel::kInfo, "the log was reopened");
  } else {
    Write(LogLevel::kError, absl::StrCat("the log file ", status.message()));
  }
  return status;
}

uint64_t Log::dropped() const { return queue_->dropped(); }

}  // namespace pcap_gateway
