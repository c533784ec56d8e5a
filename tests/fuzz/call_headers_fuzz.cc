// What a call carries: nothing of it reaches a request upstream but what a header may hold.
#include "absl/strings/match.h"
#include "service/rpc/call_headers.h"
#include "tests/fuzz/require.h"

namespace pcap_gateway {
namespace {

// The rules of W3C Trace Context, said otherwise than the code does.
void RequireTraceparent(const std::string& text) {
  Require(IsPrintableAscii(text) && text.find(' ') == std::string::npos, "no blanks");
  Require(text.size() >= 55 && text.size() <= 110, "55 characters or some more");
  Require(text[2] == '-' && text[35] == '-' && text[52] == '-', "four parts");
  Require(text.substr(0, 2) != "ff", "ff is no version");
  Require(text.substr(3, 32) != std::string(32, '0'), "a trace has an id");
  Require(text.substr(36, 16) != std::string(16, '0'), "a parent has an id");
  Require(text.substr(0, 2) != "00" || text.size() == 55, "version 00 has no more parts");
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  CallHeaders headers;
  constexpr absl::string_view kKeys[] = {"traceparent",   "tracestate",   "x-request-id",
                                         "authorization", "x-auth-email", "x-auth-key",
                                         "cache-control"};
  for (const absl::string_view key : kKeys) headers.Read(key, TakeLine(text));
  // A key that is there twice, with a line break inside.
  if (!text.empty()) headers.Read(kKeys[static_cast<uint8_t>(text[0]) % 7], text.substr(1));

  const Trace trace = headers.trace();
  if (!trace.traceparent.empty()) RequireTraceparent(trace.traceparent);
  Require(trace.traceparent.empty() ? trace.tracestate.empty() : true, "no state without a parent");
  Require(IsPrintableAscii(trace.tracestate) && trace.tracestate.size() <= 512, "tracestate");
  Require(IsPrintableAscii(trace.request_id) && trace.request_id.size() <= 128 &&
              trace.request_id.find(' ') == std::string::npos,
          "x-request-id");

  const auto credential = headers.credential();
  if (const auto* made = std::get_if<std::shared_ptr<const Credential>>(&credential)) {
    for (const std::string& line : (*made)->header_lines()) {
      Require(IsPrintableAscii(line), "a header line is one line of printable ASCII");
      Require(absl::StartsWith(line, "Authorization: Bearer ") || absl::StartsWith(line, "X-Auth-"),
              "of one of three names");
    }
  } else {
    const Error& error = std::get<Error>(credential);
    Require(error.code == absl::StatusCode::kUnauthenticated, "no credential is UNAUTHENTICATED");
    Require(IsPrintableAscii(error.message), "and says so in plain words");
  }
  Require(headers.cache_control().max_age >= absl::ZeroDuration(), "max-age is not negative");
  return 0;
}
