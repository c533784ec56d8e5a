// FileWatch: looks at files each interval, and when it is asked to, by a thread of its own.
//
// A file may lie on a system that does not answer, where open() cannot be cut short. That holds up
// the thread, and nobody else.
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_FILE_WATCH_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_FILE_WATCH_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/access/watched_files.h"

namespace pcap_gateway {

class FileWatch {
 public:
  explicit FileWatch(absl::Duration interval);

  ~FileWatch() { Stop(); }
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Takes `files` for the first time (WatchedFiles::Load), and watches them if that went well.
  // Before Start.
  absl::Status Add(std::unique_ptr<WatchedFiles> files);

  // Starts the thread, if there is anything to watch. Once.
  void Start();

  // Looks at all files, and complains of those that are of no use at once. Does not wait for one
  // that does not answer for longer than a second. Any thread.
  void LookNow();

  // Ends the watch, and does not wait for a file that does not answer. Nobody's WatchedFiles::Take
  // or Log is called after it. May be called again.
  void Stop();

  // By the option that names the files, without its dashes. They live as long as this.
  std::vector<std::pair<std::string, const ReloadStats*>> stats() const;

 private:
  struct Watched;

  static void Run(Watched& watch, absl::Duration interval);

  const absl::Duration interval_;
  const std::shared_ptr<Watched> watch_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_FILE_WATCH_H_
