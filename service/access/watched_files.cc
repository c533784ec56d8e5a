#include "service/access/watched_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"
#include "service/base/text_file.h"
#include "service/base/thread.h"

namespace pcap_gateway {
namespace {

const char* NameOfType(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

absl::Status CannotBeRead(int reason) {
  return absl::NotFoundError(
      absl::StrCat("cannot be read: ", std::generic_category().message(reason)));
}

// What ends a message about one file of several.
std::string Named(const std::string& path) { return absl::StrCat(" (", path, ")"); }

// A FIFO would be waited for, and a device have no end: neither can be looked at again and again.
absl::StatusOr<std::string> ContentOfRegularFile(const std::string& path, size_t most) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return CannotBeRead(errno);
  struct stat about;
  absl::Status status;
  std::string content;
  if (fstat(file, &about) != 0) {
    status = CannotBeRead(errno);
  } else if (!S_ISREG(about.st_mode)) {
    status = absl::InvalidArgumentError(
        absl::StrCat("is not a regular file but ", NameOfType(about.st_mode)));
  } else {
    content.resize(most + 1);
    size_t size = 0;
    ssize_t got = 0;
    while (size < content.size() &&
           ((got = read(file, content.data() + size, content.size() - size)) > 0 ||
            (got < 0 && errno == EINTR))) {
      size += static_cast<size_t>(std::max<ssize_t>(got, 0));
    }
    content.resize(size);
    if (got < 0) status = CannotBeRead(errno);
    if (size > most) status = absl::InvalidArgumentError("is too large");
  }
  close(file);
  if (!status.ok()) return status;
  DropByteOrderMark(content);
  return content;
}

}  // namespace

WatchedFiles::WatchedFiles(std::vector<File> files, size_t most_bytes, Take take, Log log)
    : files_(std::move(files)),
      most_bytes_(most_bytes),
      take_(std::move(take)),
      log_(std::move(log)) {}

const std::string& WatchedFiles::OptionAtFault(const absl::Status& status) const {
  for (const File& file : files_) {
    if (absl::EndsWith(status.message(), Named(file.path))) return file.option;
  }
  return name();
}

absl::Status WatchedFiles::Load(absl::Duration patience) {
  // On a thread of its own, which is left behind where the file never answers: open() cannot be
  // cut short.
  struct Reading {
    Mutex mutex;
    Condition over;
    std::optional<absl::StatusOr<std::vector<std::string>>> read ABSL_GUARDED_BY(mutex);
  };
  const auto reading = std::make_shared<Reading>();
  StartThread([reading, files = files_, most = most_bytes_] {
    auto read = WatchedFiles(files, most, nullptr, nullptr).Read();
    const Lock lock(reading->mutex);
    reading->read = std::move(read);
    reading->over.NotifyAll();
  }).detach();
  Lock lock(reading->mutex);
  reading->over.WaitFor(
      lock, absl::ToChronoMilliseconds(patience),
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(reading->mutex) { return reading->read.has_value(); });
  if (!reading->read.has_value()) {
    return absl::DeadlineExceededError(
        absl::StrCat("--", name(), ": the file, or what it lies on, does not answer within ",
                     absl::FormatDuration(patience)));
  }
  absl::Status status = reading->read->status();
  if (status.ok()) {
    seen_ = **std::move(reading->read);
    status = take_(seen_);
  }
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("--", OptionAtFault(status), ": ", status.message()));
}

void WatchedFiles::Look(Patience patience) { Look(Read(), patience); }

void WatchedFiles::Look(absl::StatusOr<std::vector<std::string>> read, Patience patience) {
  absl::Status status = read.status();
  std::vector<std::string> contents;
  if (read.ok()) contents = *std::move(read);
  const bool is_news = contents != seen_ || (!status.ok() && objection_.ok());
  if (is_news) {
    seen_ = std::move(contents);
    if (status.ok()) status = take_(seen_);
    objection_ = status;
    complained_ = status.ok();
    if (status.ok()) {
      stats_.reloaded.Add();
      return log_(true, absl::StrCat("--", name(), ": reloaded"));
    }
    if (patience == Patience::kSettled) return;
  }
  if (!complained_) Complain(objection_);
}

void WatchedFiles::TellThatItHangs() {
  log_(false, absl::StrCat("--", name(),
                           ": a file does not answer, what was read of it last is "
                           "kept; no file is looked at until it does"));
}

absl::StatusOr<std::vector<std::string>> WatchedFiles::Read() const {
  std::vector<std::string> contents;
  for (const File& file : files_) {
    absl::StatusOr<std::string> content = ContentOfRegularFile(file.path, most_bytes_);
    if (!content.ok()) {
      return absl::Status(content.status().code(),
                          absl::StrCat(content.status().message(), Named(file.path)));
    }
    contents.push_back(*std::move(content));
  }
  return contents;
}

void WatchedFiles::Complain(const absl::Status& status) {
  complained_ = true;
  stats_.refused.Add();
  log_(false, absl::StrCat("--", name(),
                           ": the new file is of no use, the old one is kept: ", status.message()));
}

}  // namespace pcap_gateway
