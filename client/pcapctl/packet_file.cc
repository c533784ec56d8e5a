#include "client/pcapctl/packet_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/pcapctl/on_signal.h"

namespace pcap_client {
namespace {

constexpr char kStdout[] = "-";

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::DataLossError(
      absl::StrCat("cannot write ", path == kStdout ? "to stdout" : path, ": ", strerror(error)));
}

absl::Status Refused(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--write: ", path, " ", why));
}

// rename() that leaves alone what is there, where the file system can do that.
int RenameToNew(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  return rename(from.c_str(), to.c_str());
}

}  // namespace

absl::Status PacketFile::Check(const std::string& path, bool force) {
  if (path == kStdout) {
    if (isatty(STDOUT_FILENO) == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "--write: stdout is a terminal, which packets would garble; pipe them, as in "
        "`… -w - | tshark -r -`, or name a file");
  }
  struct stat there;
  if (stat(path.c_str(), &there) != 0) return absl::OkStatus();
  if (S_ISDIR(there.st_mode)) return Refused(path, "is a folder");
  if (S_ISREG(there.st_mode) && !force) {
    return Refused(path, "is there already; --force overwrites it");
  }
  return absl::OkStatus();
}

absl::StatusOr<PacketFile> PacketFile::Open(const std::string& path, bool force) {
  if (absl::Status status = Check(path, force); !status.ok()) return status;
  PacketFile file(path, force);
  if (path == kStdout) {
    file.fd_ = STDOUT_FILENO;
    return file;
  }
  file.owned_ = true;
  struct stat there;
  const bool is_there = stat(path.c_str(), &there) == 0;
  if (is_there && !S_ISREG(there.st_mode)) {
    file.fd_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    // In the same folder, as a rename goes no farther than the file system.
    file.beside_ = path + ".XXXXXX";
    file.fd_ = mkostemp(file.beside_.data(), O_CLOEXEC);
    if (file.fd_ < 0) {
      file.beside_.clear();
    } else {
      OnSignal::Remove(file.beside_);
      if (is_there) (void)fchmod(file.fd_, there.st_mode & 07777);
    }
  }
  if (file.fd_ < 0) return Refused(path, absl::StrCat("cannot be written: ", strerror(errno)));
  return file;
}

PacketFile::PacketFile(PacketFile&& other) noexcept
    : path_(std::move(other.path_)),
      force_(other.force_),
      beside_(std::exchange(other.beside_, "")),
      fd_(std::exchange(other.fd_, -1)),
      owned_(std::exchange(other.owned_, false)) {}

PacketFile::~PacketFile() {
  if (owned_ && fd_ >= 0) close(fd_);
  if (beside_.empty()) return;
  unlink(beside_.c_str());
  OnSignal::Remove("");
}

absl::Status PacketFile::Write(absl::string_view packets) {
  while (!packets.empty()) {
    const ssize_t count = write(fd_, packets.data(), packets.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EPIPE) {
      // Whoever started this program ignores the signal; but its own end is not to be missed.
      (void)std::signal(SIGPIPE, SIG_DFL);
      (void)std::raise(SIGPIPE);
    }
    if (count < 0) return CannotWrite(path_, errno);
    packets.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status PacketFile::Finish() {
  if (!owned_) return absl::OkStatus();
  const int fd = std::exchange(fd_, -1);
  if (!beside_.empty() && fsync(fd) != 0) {
    const int why = errno;
    close(fd);
    return CannotWrite(path_, why);
  }
  if (close(fd) != 0) return CannotWrite(path_, errno);
  if (beside_.empty()) return absl::OkStatus();
  const int renamed = force_ ? rename(beside_.c_str(), path_.c_str()) : RenameToNew(beside_, path_);
  if (renamed != 0) {
    if (errno == EEXIST) {
      return absl::AlreadyExistsError(absl::StrCat(path_, " has been made by somebody else"));
    }
    return CannotWrite(path_, errno);
  }
  beside_.clear();
  OnSignal::Remove("");
  return absl::OkStatus();
}

}  // namespace pcap_client
