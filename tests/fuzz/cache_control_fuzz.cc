// cache-control: what it asks for is read, nothing else is, and of two of them together the
// stricter wins, in whatever order they come.
#include <algorithm>
#include <cctype>
#include <string>

#include "service/rpc/cache_control.h"
#include "tests/fuzz/require.h"

namespace pcap_gateway {
namespace {

// RFC 9111, said otherwise than the code does: one character after the other, no library.
CacheControl Expected(absl::string_view text) {
  CacheControl expected;
  std::string directive;
  const auto take = [&] {
    const auto blank = [](unsigned char c) { return std::isspace(c) != 0; };
    while (!directive.empty() && blank(directive.back())) directive.pop_back();
    while (!directive.empty() && blank(directive.front())) directive.erase(0, 1);
    std::string value;
    const size_t equals = directive.find('=');
    if (equals != std::string::npos) value = directive.substr(equals + 1);
    std::string name = directive.substr(0, equals);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
    directive.clear();
    if (equals == std::string::npos) {
      if (name == "no-cache") expected.max_age = absl::ZeroDuration();
      if (name == "only-if-cached") expected.only_if_cached = true;
      return;
    }
    if (name != "max-age") return;
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos) return;
    int64_t seconds = 0;
    for (const char c : value) {
      seconds = std::min<int64_t>(seconds * 10 + (c - '0'), int64_t{1} << 31);
    }
    expected.max_age = std::min(expected.max_age, absl::Seconds(seconds));
  };
  for (const char c : text) {
    if (c == ',') {
      take();
    } else {
      directive += c;
    }
  }
  take();
  return expected;
}

void RequireEqual(const CacheControl& a, const CacheControl& b, const char* what) {
  Require(a.max_age == b.max_age && a.only_if_cached == b.only_if_cached, what);
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  const absl::string_view line = TakeLine(text);
  const CacheControl one = CacheControlOf(line);
  const CacheControl other = CacheControlOf(text);
  RequireEqual(one, Expected(line), "what the first asks for");
  RequireEqual(other, Expected(text), "what the second asks for");
  CacheControl both = one;
  both.Add(other);
  CacheControl turned = other;
  turned.Add(one);
  Require(both.max_age == std::min(one.max_age, other.max_age), "the smaller max-age wins");
  Require(both.only_if_cached == (one.only_if_cached || other.only_if_cached), "either asks");
  RequireEqual(both, turned, "in any order");
  return 0;
}
