// LogOutput: where log lines go.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_OUTPUT_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_OUTPUT_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

class LogOutput {
 public:
  virtual ~LogOutput() = default;

  // Writes `line`, or says that it could not. One thread; may block for as long as it likes.
  virtual bool Write(absl::string_view line) = 0;

  // Goes on with a file of the same name. Any thread; never waits for Write.
  virtual absl::Status Reopen() { return absl::OkStatus(); }
};

// A file descriptor: stderr, or a file of a name.
class FileOutput final : public LogOutput {
 public:
  // Standard error. It is not closed in the end.
  static std::unique_ptr<FileOutput> Stderr();

  // Appends to the file at `path`, which is made where there is none, for owner and group to read.
  // A FIFO needs a reader. The error is the end of a sentence: "cannot be opened: …".
  static absl::StatusOr<std::unique_ptr<FileOutput>> Open(const std::string& path);

  ~FileOutput() override;

  // Of a line that was cut short (a full disk) the rest is written before the next line.
  bool Write(absl::string_view line) override;

  // What was renamed since (logrotate) is written no more, from the next line on. Keeps the old
  // file where a new one cannot be opened. Nothing to do for stderr.
  absl::Status Reopen() override;

 private:
  FileOutput(std::string path, int file) : path_(std::move(path)), file_(file) {}

  size_t Put(absl::string_view text) const;

  const std::string path_;          // empty: stderr
  int file_;                        // the writing thread's alone
  std::string rest_;                // of the last line; likewise
  std::atomic<int> next_file_{-1};  // -1: none
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_LOG_OUTPUT_H_
