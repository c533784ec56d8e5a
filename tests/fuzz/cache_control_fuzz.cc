// cache-control: of two of them together the stricter wins, in whatever order they come.
#include <algorithm>

#include "service/rpc/cache_control.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  const CacheControl one = CacheControlOf(TakeLine(text));
  const CacheControl other = CacheControlOf(text);
  Require(one.max_age >= absl::ZeroDuration(), "max-age is not negative");
  CacheControl both = one;
  both.Add(other);
  CacheControl turned = other;
  turned.Add(one);
  Require(both.max_age == std::min(one.max_age, other.max_age), "the smaller max-age wins");
  Require(both.only_if_cached == (one.only_if_cached || other.only_if_cached), "either asks");
  Require(both.max_age == turned.max_age && both.only_if_cached == turned.only_if_cached,
          "in any order");
  return 0;
}
