// PublicText: foreign text made fit for an error's message, which callers print, log and page on.
//
//   PublicText("bad\r\n  filter: <b>ip</b>", 200) == "bad filter: ip"
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_PUBLIC_TEXT_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_PUBLIC_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// `text` without secrets (redaction.h) and without HTML tags; every run of white space, control
// characters and marks that turn the direction of text is one space. What is longer than
// `most_bytes` is cut between characters and ends in "...", within `most_bytes` (at least 3).
// `text`: valid UTF-8, and so is the result. Pure and thread-safe.
std::string PublicText(absl::string_view text, size_t most_bytes);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_PUBLIC_TEXT_H_
