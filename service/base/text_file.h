// What editors put before the text of a file.
#ifndef PCAP_GATEWAY_SERVICE_BASE_TEXT_FILE_H_
#define PCAP_GATEWAY_SERVICE_BASE_TEXT_FILE_H_

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

// UTF-8's byte order mark, with which editors on Windows begin a file.
inline constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Takes a byte order mark off the beginning of `text`. Every reader of a text file calls it.
inline void DropByteOrderMark(std::string& text) {
  if (absl::StartsWith(text, kByteOrderMark)) text.erase(0, kByteOrderMark.size());
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_TEXT_FILE_H_
