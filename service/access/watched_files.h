// WatchedFiles: files that belong together, such as a key and its certificate, which are taken
// again when they change, and kept as they were when the new ones are of no use.
//
//   WatchedFiles token({{"api-token-file", path}}, kMostBytes,
//                      [&](const std::vector<std::string>& contents) { return Take(contents); },
//                      log);
//   if (absl::Status status = token.Load(); !status.ok()) return status;
//   token.Look(WatchedFiles::Patience::kSettled);   // now and then
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_WATCHED_FILES_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_WATCHED_FILES_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/counter.h"

namespace pcap_gateway {

// Read by any thread.
struct ReloadStats {
  Counter reloaded;  // times that changed files were taken
  Counter refused;   // times that they were not, and the old ones kept
};

// What is done is done by one thread at a time; who owns the object sees to it.
class WatchedFiles {
 public:
  // Makes use of the contents, or says why they are of no use (naming no secret), and then nothing
  // may have changed.
  using Take = std::function<absl::Status(const std::vector<std::string>& contents)>;
  // Told what happened, in one line for operators.
  using Log = std::function<void(bool is_good, const std::string& line)>;

  // Whether files that are of no use are complained about at once, or only if they are still the
  // same when they are looked at next: whoever replaces a key and a certificate, one after the
  // other, is half done in between.
  enum class Patience { kNone, kSettled };

  struct File {
    std::string option;  // that names it, without its dashes
    std::string path;
  };

  // What they are called together is the first one's option. `most_bytes`: what one may hold.
  WatchedFiles(std::vector<File> files, size_t most_bytes, Take take, Log log);

  // Takes them for the first time. A failure begins with the option at fault, `--policy-file: …`.
  // INVALID_ARGUMENT: a file, or what it holds, is of no use; NOT_FOUND: it cannot be read;
  // DEADLINE_EXCEEDED: nor within `patience`, as on a network's file system whose server is gone.
  absl::Status Load(absl::Duration patience = absl::Seconds(5));

  // Takes them if they hold something else than when they were last looked at. Contents are
  // compared, not times: a directory may be swapped under a name.
  void Look(Patience patience);

  // The same in two steps. The first may take for ever, and needs no other thread to keep away.
  absl::StatusOr<std::vector<std::string>> Read() const;
  void Look(absl::StatusOr<std::vector<std::string>> read, Patience patience);

  // Logs that Read does not end.
  void TellThatItHangs();

  const std::string& name() const { return files_.front().option; }
  const ReloadStats& stats() const { return stats_; }

 private:
  void Complain(const absl::Status& status);
  const std::string& OptionAtFault(const absl::Status& status) const;

  const std::vector<File> files_;
  const size_t most_bytes_;
  const Take take_;
  const Log log_;
  std::vector<std::string> seen_;  // the contents last looked at
  absl::Status objection_;         // to these
  bool complained_ = true;         // about that
  ReloadStats stats_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_WATCHED_FILES_H_
