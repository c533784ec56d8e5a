#include "client/pcapctl/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pcap_client {
namespace {

constexpr size_t kMostBytes = 1 << 20;
constexpr size_t kStep = 64 << 10;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }

  int get() const { return fd_; }
  bool Close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || close(fd) == 0;
  }

 private:
  int fd_;
};

absl::Status CannotRead(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", why));
}

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot write ", path));
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return CannotRead(path, strerror(errno));
  std::string text;
  for (size_t had = 0;; had = text.size()) {
    text.resize(had + kStep);
    const ssize_t count = read(file.get(), &text[had], kStep);
    if (count < 0 && errno != EINTR) return CannotRead(path, strerror(errno));
    text.resize(had + static_cast<size_t>(count < 0 ? 0 : count));
    if (text.size() > kMostBytes) return CannotRead(path, "it holds more than 1 MiB");
    if (count == 0) break;
  }
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

absl::Status ReplaceTextFile(const std::string& path, absl::string_view text) {
  std::error_code error;
  std::filesystem::path file = std::filesystem::canonical(path, error);
  if (error) file = path;  // it is not there
  // In the same folder, as a rename goes no farther than the file system.
  std::string beside = file.string() + ".XXXXXX";
  Descriptor written(mkostemp(beside.data(), O_CLOEXEC));  // its owner's alone
  if (written.get() < 0) return CannotWrite(path, errno);
  bool done = true;
  struct stat old;
  if (stat(file.c_str(), &old) == 0) {
    // Only root may give files away; the mode is set afterwards, as this clears bits of it.
    if (fchown(written.get(), old.st_uid, old.st_gid) != 0) errno = 0;
    done = fchmod(written.get(), old.st_mode & 07777) == 0;
  }
  done = done && WriteAll(written.get(), text) && fsync(written.get()) == 0 && written.Close() &&
         rename(beside.c_str(), file.c_str()) == 0;
  if (done) return absl::OkStatus();
  const int why = errno;
  unlink(beside.c_str());
  return CannotWrite(path, why);
}

}  // namespace pcap_client
