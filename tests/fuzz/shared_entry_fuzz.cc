// Values in Redis: what others wrote there, or changed, is none of ours.
#include <string>

#include "absl/strings/str_cat.h"
#include "service/shared/shared_entry.h"
#include "tests/fuzz/require.h"
#include "tests/support/queries.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  const absl::string_view text = TextOf(data, size);
  static const auto credential = TestCredential();
  static const std::string name = EntryName(QueryFor(1), "");
  static const std::string other_name = EntryName(QueryFor(2), "");
  Require(!OpenedEntry(text, name, *credential, Reason::kPcapNotFound).has_value(),
          "no other bytes open");

  // The input as a message comes back as it was ...
  Outcome outcome;
  outcome.message = std::string(text);
  outcome.stage = size % 2 == 0 ? Stage::kFinal : Stage::kMoving;
  outcome.http_status = 200;
  const absl::Time as_of = absl::FromUnixMicros(1'763'900'000'000'000 + static_cast<int>(size));
  const std::string value = SealedEntry(outcome, as_of, absl::Seconds(7), name, *credential);
  const auto opened = OpenedEntry(value, name, *credential, Reason::kPcapNotFound);
  Require(opened.has_value(), "what was sealed opens");
  Require(opened->outcome->message == text && opened->outcome->as_of == as_of &&
              opened->outcome->stage == outcome.stage && opened->lifetime == absl::Seconds(7),
          "as it was");
  // ... and under no other name, nor with one bit changed, nor cut off.
  Require(!OpenedEntry(value, other_name, *credential, Reason::kPcapNotFound).has_value(),
          "under its name alone");
  std::string changed = value;
  const size_t hash = size == 0 ? 0 : data[0] + 256U * data[size - 1] + 7 * size;
  changed[hash % changed.size()] ^= static_cast<char>(1 << hash % 8);
  Require(!OpenedEntry(changed, name, *credential, Reason::kPcapNotFound).has_value(),
          "not with a bit changed");
  changed = value.substr(0, hash % value.size());
  Require(!OpenedEntry(changed, name, *credential, Reason::kPcapNotFound).has_value(),
          "not cut off");
  return 0;
}
