#include "service/access/watched_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/source/thread.h"

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

// A FIFO would be waited for, and a device have no end: neither can be looked at again and again.
absl::StatusOr<std::string> ContentOfRegularFile(const std::string& path, size_t most) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return absl::NotFoundError("cannot be read");
  struct stat about;
  absl::Status status;
  std::string content;
  if (fstat(file, &about) != 0) {
    status = absl::NotFoundError("cannot be read");
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
    if (got < 0) status = absl::NotFoundError("cannot be read");
    if (size > most) status = absl::InvalidArgumentError("is too large");
  }
  close(file);
  if (!status.ok()) return status;
  return content;
}

}  // namespace

WatchedFiles::WatchedFiles(std::string name, std::vector<std::string> paths, size_t most_bytes,
                           Take take, Log log)
    : name_(std::move(name)),
      paths_(std::move(paths)),
      most_bytes_(most_bytes),
      take_(std::move(take)),
      log_(std::move(log)) {}

absl::Status WatchedFiles::Load(absl::Duration patience) {
  // On a thread of its own, which is left behind where the file never answers: open() cannot be
  // cut short.
  struct Reading {
    std::mutex mutex;
    std::condition_variable over;
    std::optional<absl::StatusOr<std::vector<std::string>>> read;
  };
  const auto reading = std::make_shared<Reading>();
  StartThread([reading, name = name_, paths = paths_, most = most_bytes_] {
    const WatchedFiles files(name, paths, most, nullptr, nullptr);
    auto read = files.Read();
    const std::lock_guard lock(reading->mutex);
    reading->read = std::move(read);
    reading->over.notify_all();
  }).detach();
  std::unique_lock lock(reading->mutex);
  reading->over.wait_for(lock, absl::ToChronoMilliseconds(patience),
                         [&] { return reading->read.has_value(); });
  if (!reading->read.has_value()) {
    return absl::DeadlineExceededError(absl::StrCat(
        "the file, or what it lies on, does not answer within ", absl::FormatDuration(patience)));
  }
  if (!reading->read->ok()) return reading->read->status();
  seen_ = **std::move(reading->read);
  return take_(seen_);
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
      return log_(true, absl::StrCat("--", name_, ": reloaded"));
    }
    if (patience == Patience::kSettled) return;
  }
  if (!complained_) Complain(objection_);
}

void WatchedFiles::TellThatItHangs() {
  log_(false, absl::StrCat("--", name_,
                           ": a file does not answer, what was read of it last is "
                           "kept; no file is looked at until it does"));
}

absl::StatusOr<std::vector<std::string>> WatchedFiles::Read() const {
  std::vector<std::string> contents;
  for (const std::string& path : paths_) {
    absl::StatusOr<std::string> content = ContentOfRegularFile(path, most_bytes_);
    if (!content.ok()) return content.status();
    contents.push_back(*std::move(content));
  }
  return contents;
}

void WatchedFiles::Complain(const absl::Status& status) {
  complained_ = true;
  stats_.refused.Add();
  log_(false, absl::StrCat("--", name_,
                           ": the new file is of no use, the old one is kept: ", status.message()));
}

}  // namespace pcap_gateway
