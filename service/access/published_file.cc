#include "service/access/published_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

absl::Status Failed(absl::string_view what) {
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot ", what, " a file in memory: ", std::strerror(errno)));
}

bool WriteAll(int descriptor, absl::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PublishedFile>> PublishedFile::Create(const std::string& name) {
  const int descriptor = memfd_create(name.c_str(), MFD_CLOEXEC);
  if (descriptor < 0) return Failed("make");
  return std::unique_ptr<PublishedFile>(new PublishedFile(name, descriptor));
}

PublishedFile::~PublishedFile() { close(descriptor_); }

absl::Status PublishedFile::Publish(absl::string_view content) {
  const int fresh = memfd_create(name_.c_str(), MFD_CLOEXEC);
  if (fresh < 0) return Failed("make");
  const timespec time{.tv_sec = published_ + 1, .tv_nsec = 0};
  const timespec times[] = {time, time};
  // The old file stays open for those who read it; the path means the new one from here on.
  const bool done = WriteAll(fresh, content) && futimens(fresh, times) == 0 &&
                    dup3(fresh, descriptor_, O_CLOEXEC) >= 0;
  const int reason = errno;
  close(fresh);
  errno = reason;
  if (!done) return Failed("write");
  ++published_;
  return absl::OkStatus();
}

std::string PublishedFile::path() const { return absl::StrCat("/proc/self/fd/", descriptor_); }

}  // namespace pcap_gateway
