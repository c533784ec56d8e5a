// Option file: lines `name = value`, as in
//
//   # where callers connect
//   listen = [::1]:50051
//   api-token-file = "/run/secrets/cloudflare token"   ; quotes keep what is between them
//
// Empty lines do not count; a comment begins with `#` or `;`, at a line's begin or after a space.
// CLI11's own reader takes more (lists, sections), and makes a list of `[::1]:50051` and passes
// over lines that it does not understand.
#ifndef PCAP_GATEWAY_SERVICE_OPTION_FILE_H_
#define PCAP_GATEWAY_SERVICE_OPTION_FILE_H_

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace pcap_gateway {

struct OptionLine {
  int number;  // from 1
  std::string name;
  std::string value;
};

// All lines of the file. Fails at the first that is none, or whose name was there before; the
// message gives its number, and does not repeat it.
absl::StatusOr<std::vector<OptionLine>> OptionLinesFrom(std::istream& file);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPTION_FILE_H_
