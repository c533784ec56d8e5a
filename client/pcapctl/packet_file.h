// PacketFile: where the packets of a download go, whole or not at all.
//
//   absl::StatusOr<PacketFile> file = PacketFile::Open("syn.pcap", /*force=*/false);
//   if (!file.ok()) return file.status();
//   if (absl::Status status = file->Write(packets); !status.ok()) return status;
//   return file->Finish();
//
// They are written beside the name that they are for, and get it at the end. Until then a failure,
// and a signal that ends the program, removes them. What is no regular file ("-" for stdout, a
// named pipe, /dev/null) is written to as it is.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PACKET_FILE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PACKET_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pcap_client {

class PacketFile {
 public:
  // Whether packets can go to `path`, without touching it; so that it is known before they cost
  // anything. INVALID_ARGUMENT: a file is there and `force` is not said, or it is a folder, or
  // stdout is a terminal.
  static absl::Status Check(const std::string& path, bool force);

  // A new file is its owner's alone; one that is overwritten gives its mode to the new one.
  // INVALID_ARGUMENT: as Check, or the system's word why there can be none.
  static absl::StatusOr<PacketFile> Open(const std::string& path, bool force);

  PacketFile(PacketFile&& other) noexcept;
  PacketFile& operator=(PacketFile&&) = delete;
  // Removes what is not finished.
  ~PacketFile();

  // DATA_LOSS: they cannot be written. Where nobody reads a pipe any more, the program ends here by
  // SIGPIPE, as others do.
  absl::Status Write(absl::string_view packets);

  // They are all there. DATA_LOSS: they could not be kept; ALREADY_EXISTS: somebody else has made
  // the file meanwhile.
  absl::Status Finish();

 private:
  PacketFile(std::string path, bool force) : path_(std::move(path)), force_(force) {}

  std::string path_;
  bool force_;
  std::string beside_;  // what is written to; empty: `path_` itself
  int fd_ = -1;
  bool owned_ = false;  // fd_ is to be closed
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PACKET_FILE_H_
