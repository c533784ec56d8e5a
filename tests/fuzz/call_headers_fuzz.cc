// What a call carries: nothing of it reaches a request upstream but what a header may hold.
#include <iterator>

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

// The other way round: a traceparent of version 00 as the specification draws it.
bool IsPlainTraceparent(absl::string_view text) {
  constexpr absl::string_view kForm = "00-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool hex = absl::string_view("0123456789abcdef").find(text[i]) != text.npos;
    if (kForm[i] == 'h' ? !hex : text[i] != kForm[i]) return false;
  }
  return text.substr(3, 32).find_first_not_of('0') != text.npos &&
         text.substr(36, 16).find_first_not_of('0') != text.npos;
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
  absl::string_view sent[std::size(kKeys)];
  for (size_t i = 0; i < std::size(kKeys); ++i) headers.Read(kKeys[i], sent[i] = TakeLine(text));
  // A key that is there twice, with a line break inside: the last one counts.
  if (!text.empty()) {
    const size_t again = static_cast<uint8_t>(text[0]) % std::size(kKeys);
    headers.Read(kKeys[again], sent[again] = text.substr(1));
  }

  const Trace trace = headers.trace();
  if (!trace.traceparent.empty()) RequireTraceparent(trace.traceparent);
  Require(trace.traceparent.empty() || trace.traceparent == sent[0], "as it came, or not at all");
  Require(trace.tracestate.empty() || trace.tracestate == sent[1], "tracestate as it came");
  Require(trace.request_id.empty() || trace.request_id == sent[2], "x-request-id as it came");
  if (IsPlainTraceparent(sent[0])) {
    Require(trace.traceparent == sent[0], "a proper traceparent gets through");
    if (IsPrintableAscii(sent[1]) && sent[1].size() <= 512) {
      Require(trace.tracestate == sent[1], "and its tracestate");
    }
  }
  if (IsPrintableAscii(sent[2]) && sent[2].size() <= 128 && sent[2].find(' ') == sent[2].npos) {
    Require(trace.request_id == sent[2], "a proper x-request-id gets through");
  }
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
