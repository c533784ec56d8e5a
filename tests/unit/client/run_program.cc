#include "tests/unit/client/run_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pcap_client {
namespace {

// A file without a name, so that neither stream can fill a pipe nobody reads.
class Captured {
 public:
  Captured() : file_(memfd_create("captured", MFD_CLOEXEC)) {}
  ~Captured() { close(file_); }

  int file() const { return file_; }

  std::string Text() const {
    std::string text(static_cast<size_t>(lseek(file_, 0, SEEK_END)), '\0');
    text.resize(static_cast<size_t>(pread(file_, text.data(), text.size(), 0)));
    return text;
  }

 private:
  int file_;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ProgramRun RunProgram(const std::string& path, std::vector<std::string> arguments,
                      std::vector<std::string> environment, const std::string& stdout_path) {
  arguments.insert(arguments.begin(), path);
  const Captured out;
  const Captured err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (stdout_path.empty()) {
    posix_spawn_file_actions_adddup2(&actions, out.file(), 1);
  } else {
    posix_spawn_file_actions_addopen(&actions, 1, stdout_path.c_str(), O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, err.file(), 2);
  pid_t child = 0;
  const int failed = posix_spawn(&child, path.c_str(), &actions, nullptr,
                                 Pointers(arguments).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed != 0 || waitpid(child, &status, 0) != child) return {-1, "", "could not be run"};
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out.Text(), err.Text()};
}

}  // namespace pcap_client
