// Endpoints for tests that list things, and get one of them.
//
//   "7m:pending"            capture 7 moves, and is pending
//   "7m:pending 8f:success" a list of it and of one that is final
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_LISTING_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_LISTING_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/support/queries.h"

namespace pcap_gateway {

inline Part PartFrom(absl::string_view text, const Outcome& answer) {
  const std::pair<absl::string_view, absl::string_view> halves =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  int number = 0;
  const bool is_number = absl::SimpleAtoi(halves.first.substr(0, halves.first.size() - 1), &number);
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = answer.as_of;
  outcome->message = std::string(text);
  outcome->http_status = answer.http_status;
  outcome->stage = halves.first.back() == 'f' ? Stage::kFinal : Stage::kMoving;
  return {.resource = is_number ? NumberedId(number) : Id(), .outcome = std::move(outcome)};
}

inline std::vector<Part> PartsFrom(const Outcome& answer) {
  std::vector<Part> parts;
  for (const absl::string_view text : absl::StrSplit(answer.message, ' ', absl::SkipEmpty())) {
    parts.push_back(PartFrom(text, answer));
  }
  return parts;
}

inline Outcome ListOf(const Outcome& answer, const std::vector<Part>& parts) {
  Outcome list;
  list.as_of = answer.as_of;
  list.http_status = answer.http_status;
  list.stage = Stage::kQuiet;
  for (const Part& part : parts) {
    list.message += (list.message.empty() ? "" : " ") + part.outcome->message;
    if (part.outcome->stage == Stage::kMoving) list.stage = Stage::kMoving;
  }
  return list;
}

// The two know each other.
struct Listing {
  Listing() : list(TestEndpoint()), get(TestEndpoint()) {
    list.name = "List";
    list.number = 210;
    list.parts = PartsFrom;
    list.one = &get;
    list.with_parts = ListOf;
    get.name = "Get";
    get.number = 211;
    get.parts = PartsFrom;
    get.list = &list;
  }
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  static const Listing& Get() {
    static const Listing listing;
    return listing;
  }

  Endpoint list;
  Endpoint get;
};

inline const Endpoint& ListEndpoint() { return Listing::Get().list; }
inline const Endpoint& GetEndpoint() { return Listing::Get().get; }

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_LISTING_H_
