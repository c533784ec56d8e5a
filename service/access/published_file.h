// PublishedFile: a file that only we write, whose content changes all at once, for a reader that
// wants a path.
//
//   absl::StatusOr<std::unique_ptr<PublishedFile>> file = PublishedFile::Create("tls");
//   if (!file.ok()) return file.status();
//   if (absl::Status status = (*file)->Publish(pem); !status.ok()) return status;
//   Watch((*file)->path());
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_PUBLISHED_FILE_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_PUBLISHED_FILE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

// Lies in memory (memfd_create), so that a key is on no disk and a read-only root will do. Publish
// is for one thread at a time; readers are of any.
class PublishedFile {
 public:
  // `name` shows in /proc alone. Fails where the process may open no more files.
  static absl::StatusOr<std::unique_ptr<PublishedFile>> Create(const std::string& name);
  ~PublishedFile();

  PublishedFile(const PublishedFile&) = delete;
  PublishedFile& operator=(const PublishedFile&) = delete;

  // Whoever opens the path from now on reads `content`, and who has it open goes on with the old
  // one. Each content has a modification time of its own in whole seconds (not today's): gRPC
  // compares them to see whether two reads were of the same one. Fails, leaving the old content,
  // where memory or descriptors are short.
  absl::Status Publish(absl::string_view content);

  // Of this process alone.
  std::string path() const;

 private:
  PublishedFile(std::string name, int descriptor)
      : name_(std::move(name)), descriptor_(descriptor) {}

  const std::string name_;
  const int descriptor_;
  int published_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_PUBLISHED_FILE_H_
