#include "service/operations/log_output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

// Not to wait for a reader of a FIFO here; afterwards writing is to wait again, on its own thread.
absl::StatusOr<int> OpenForAppending(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
  const int file = open(path.c_str(), kFlags | O_NONBLOCK, 0640);
  if (file < 0) {
    const int reason = errno;
    const std::string why =
        absl::StrCat("cannot be opened: ", std::generic_category().message(reason));
    // The others may be mended while a supervisor tries again.
    if (reason == EISDIR) return absl::InvalidArgumentError(why);
    return absl::UnavailableError(why);
  }
  fcntl(file, F_SETFL, O_APPEND);
  return file;
}

}  // namespace

std::unique_ptr<FileOutput> FileOutput::Stderr() {
  return std::unique_ptr<FileOutput>(new FileOutput("", STDERR_FILENO));
}

absl::StatusOr<std::unique_ptr<FileOutput>> FileOutput::Open(const std::string& path) {
  const absl::StatusOr<int> file = OpenForAppending(path);
  if (!file.ok()) return file.status();
  return std::unique_ptr<FileOutput>(new FileOutput(path, *file));
}

FileOutput::~FileOutput() {
  if (path_.empty()) return;
  close(file_);
  if (const int next = next_file_.load(); next >= 0) close(next);
}

absl::Status FileOutput::Reopen() {
  if (path_.empty()) return absl::OkStatus();
  const absl::StatusOr<int> file = OpenForAppending(path_);
  if (!file.ok()) return file.status();
  // One that was opened before, and that no line has come to since.
  if (const int unused = next_file_.exchange(*file); unused >= 0) close(unused);
  return absl::OkStatus();
}

bool FileOutput::Write(absl::string_view line) {
  if (const int next = next_file_.exchange(-1); next >= 0) {
    // The rest of a line belongs to the file that has its beginning, if that takes it.
    Put(rest_);
    rest_.clear();
    close(std::exchange(file_, next));
  }
  rest_.erase(0, Put(rest_));
  if (!rest_.empty()) return false;
  const size_t written = Put(line);
  if (written > 0) rest_ = std::string(line.substr(written));
  return written > 0;
}

// How much of `text` could be written.
size_t FileOutput::Put(absl::string_view text) const {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(file_, text.data() + done, text.size() - done);
    if (written > 0) {
      done += written;
    } else if (written < 0 && errno == EAGAIN) {
      // Somebody whom we share stderr with made it non-blocking.
      pollfd ready{.fd = file_, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, /*timeout=*/-1);
    } else if (written == 0 || errno != EINTR) {
      break;
    }
  }
  return done;
}

}  // namespace pcap_gateway
