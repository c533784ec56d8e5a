#include "service/endpoints/download_pcap.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/endpoints/answer.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

std::string Target(const Query& query) { return absl::StrCat(PcapPath(query), "/download"); }

// libpcap's classic format in either byte order, with microseconds or nanoseconds, or pcapng.
bool IsCaptureFile(absl::string_view first_bytes) {
  constexpr absl::string_view kBeginnings[] = {
      {"\xd4\xc3\xb2\xa1", 4}, {"\xa1\xb2\xc3\xd4", 4}, {"\x4d\x3c\xb2\xa1", 4},
      {"\xa1\xb2\x3c\x4d", 4}, {"\x0a\x0d\x0d\x0a", 4},
  };
  return std::find(std::begin(kBeginnings), std::end(kBeginnings), first_bytes) !=
         std::end(kBeginnings);
}

// What is left to read here is an error, or no capture file.
Outcome Parse(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  if (answer.sunk_bytes > 0) {
    Outcome outcome;
    outcome.http_status = answer.status;
    return outcome;
  }
  const OpenedAnswer opened(query, answer, options);
  if (opened.error().has_value()) return opened.Failed();
  return opened.Invalid("with JSON instead of a capture file");
}

}  // namespace

const Endpoint kDownloadPcap = {
    .name = "DownloadPcap",
    .number = 20,
    .method = "GET",
    .effect = Effect::kReads,
    .not_found = Reason::kPcapNotFound,
    .target = Target,
    .parse = Parse,
    .accept = "application/vnd.tcpdump.pcap, application/json;q=0.9",
    .is_content = IsCaptureFile,
};

}  // namespace pcap_gateway
