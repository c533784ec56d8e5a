// AccessFiles: what decides who may call and lies in files, watched while the program runs.
//
//   absl::StatusOr<std::unique_ptr<AccessFiles>> access = AccessFiles::Load(options, clock, log);
//   if (!access.ok()) return access.status();
//   Serve((*access)->identity_path(), (*access)->policy());
//   (*access)->Watch();        // from here on by a thread of its own
//   (*access)->LookNow();      // SIGHUP
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_ACCESS_FILES_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_ACCESS_FILES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/access/file_watch.h"
#include "service/access/policy.h"
#include "service/access/published_file.h"
#include "service/access/watched_files.h"
#include "service/base/clock.h"
#include "service/base/current.h"

namespace pcap_gateway {

// Paths; empty: there is none.
struct AccessOptions {
  std::string tls_cert_file;  // the server's certificate with its chain; with tls_key_file
  std::string tls_key_file;
  std::string tls_client_ca_file;  // whose certificates callers must show
  std::string policy_file;
  // How often files are looked at.
  absl::Duration interval = absl::Seconds(10);
};

class AccessFiles {
 public:
  // Reads and checks all files. A failure names the option that cannot work. `clock` says whether a
  // certificate is valid; it and `log`, which any thread may call, outlive the object.
  static absl::StatusOr<std::unique_ptr<AccessFiles>> Load(const AccessOptions& options,
                                                           const Clock& clock,
                                                           WatchedFiles::Log log);

  // Takes a file of others, and watches it, too. Before Watch.
  absl::Status Add(const std::string& name, std::string path, size_t most_bytes,
                   WatchedFiles::Take take);

  // Looks at all files each interval, by a thread of its own. Once.
  void Watch() { watch_.Start(); }

  // Looks at all files at once; see FileWatch. Any thread.
  void LookNow() { watch_.LookNow(); }

  // Takes no file any more; what was taken stays.
  void Stop() { watch_.Stop(); }

  // A path to the key and the certificates in one PEM file, always of one another; empty: no TLS.
  std::string identity_path() const;
  // A path to the authorities whose certificates callers must show; empty: any caller.
  std::string authorities_path() const;
  // Null: there is none, and whoever can connect may call.
  const Current<Policy>& policy() const { return policy_; }
  // When the certificate expires; absent: there is none.
  std::optional<absl::Time> not_after() const;

  // By the option that names the files, without its dashes.
  std::vector<std::pair<std::string, const ReloadStats*>> stats() const { return watch_.stats(); }

 private:
  AccessFiles(AccessOptions options, const Clock& clock, WatchedFiles::Log log);

  absl::Status LoadTls();
  absl::Status LoadPolicy();
  absl::Status LoadAndKeep(std::vector<WatchedFiles::File> its, size_t most_bytes,
                           WatchedFiles::Take take);

  const AccessOptions options_;
  const Clock& clock_;
  const WatchedFiles::Log log_;
  std::unique_ptr<PublishedFile> identity_;
  std::unique_ptr<PublishedFile> authorities_;
  Current<Policy> policy_;
  std::atomic<int64_t> not_after_{0};  // Unix seconds; with `identity_`
  FileWatch watch_;                    // last, as it calls for the others
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_ACCESS_FILES_H_
