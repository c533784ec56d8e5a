// Text files that people name: read whole, and replaced whole.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_TEXT_FILE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_TEXT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pcap_client {

// What the file at `path` holds; a pipe's end will do. The byte order mark that editors on Windows
// begin a file with is left out. INVALID_ARGUMENT names the path and why it
// cannot be read: it is a folder, holds more than 1 MiB, or what the system says.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

// Puts `text` into the file at `path`, at once or not at all: who reads meanwhile sees the old or
// the new. The file keeps its mode and, where that is allowed, its owner; a link stays a link. A
// new file is its owner's alone, and folders that are missing are made. The error names the path.
absl::Status ReplaceTextFile(const std::string& path, absl::string_view text);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_TEXT_FILE_H_
