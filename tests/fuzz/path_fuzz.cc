// The path of a request upstream: ids of 32 lower-case hexadecimal digits and nothing else get into
// it, so it has always the same shape.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "service/endpoints/get_pcap.h"
#include "service/source/query.h"
#include "tests/fuzz/require.h"

namespace pcap_gateway {
namespace {

bool LooksLikeAnId(absl::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  const absl::string_view texts[] = {TakeLine(text), text};
  std::optional<Id> ids[2];
  for (int i = 0; i < 2; ++i) {
    ids[i] = Id::Parse(texts[i]);
    Require(ids[i].has_value() == LooksLikeAnId(texts[i]), "32 digits, or no id");
    if (ids[i].has_value()) Require(ids[i]->ToString() == texts[i], "the id is what it was");
  }
  if (!ids[0].has_value() || !ids[1].has_value()) return 0;
  Query query;
  query.endpoint = &kGetPcap;
  query.account = *ids[0];
  query.resource = *ids[1];
  Require(kGetPcap.target(query) == absl::StrCat("/accounts/", texts[0], "/pcaps/", texts[1]),
          "the path has the ids where they belong");
  return 0;
}
