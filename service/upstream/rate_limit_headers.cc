#include "service/upstream/rate_limit_headers.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace pcap_gateway {
namespace {

constexpr int64_t kMostRequests = 1'000'000'000;
constexpr int64_t kMostSeconds = 366 * 24 * 3600;

// A list member: what it is called, and those of its parameters that are whole numbers.
struct Item {
  std::string name;
  std::vector<std::pair<std::string, int64_t>> numbers;

  // In `least` to `most`; absent: there is none.
  std::optional<int64_t> Number(absl::string_view key, int64_t least, int64_t most) const {
    std::optional<int64_t> found;
    for (const auto& [name, value] : numbers) {
      if (name == key) found = value;  // the last one counts (RFC 9651, 4.2.3.2)
    }
    if (found.has_value() && (*found < least || *found > most)) return std::nullopt;
    return found;
  }
};

// Reads as much of RFC 9651's lists as these headers use: strings and tokens with parameters. The
// functions return false where the text breaks the syntax.
class ListReader {
 public:
  explicit ListReader(absl::string_view text) : text_(text) {}

  bool Read(std::vector<Item>& items) {
    Skip(" ");
    while (!text_.empty()) {
      if (!ReadItem(items.emplace_back())) return false;
      Skip(" \t");
      if (text_.empty()) return true;
      if (!Take(',')) return false;
      Skip(" \t");
      if (text_.empty()) return false;  // a comma with nothing after it
    }
    return true;
  }

 private:
  bool ReadItem(Item& item) {
    if (!ReadBare(item.name)) return false;
    while (Take(';')) {
      Skip(" ");
      std::string key, value = "1";  // a key alone is true
      if (!ReadKey(key)) return false;
      if (Take('=') && !ReadBare(value)) return false;
      int64_t number = 0;
      if (absl::SimpleAtoi(value, &number)) item.numbers.emplace_back(std::move(key), number);
    }
    return true;
  }

  // A string without its quotes; a token, number, date, byte sequence or boolean as it stands.
  bool ReadBare(std::string& value) {
    value.clear();
    if (Take('"')) return ReadString(value);
    while (!text_.empty() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(text_[0])) ||
            absl::string_view("!#$%&'*+-.^_`|~:/?@=").find(text_[0]) != absl::string_view::npos)) {
      value += text_[0];
      text_.remove_prefix(1);
    }
    return !value.empty();
  }

  bool ReadString(std::string& value) {
    while (!text_.empty()) {
      const char c = text_[0];
      text_.remove_prefix(1);
      if (c == '"') return true;
      if (!absl::ascii_isprint(static_cast<unsigned char>(c))) return false;
      if (c != '\\') {
        value += c;
      } else if (!text_.empty() && (text_[0] == '"' || text_[0] == '\\')) {
        value += text_[0];
        text_.remove_prefix(1);
      } else {
        return false;
      }
    }
    return false;
  }

  bool ReadKey(std::string& key) {
    while (!text_.empty() &&
           (absl::ascii_islower(static_cast<unsigned char>(text_[0])) ||
            absl::ascii_isdigit(static_cast<unsigned char>(text_[0])) ||
            absl::string_view("*_-.").find(text_[0]) != absl::string_view::npos)) {
      key += text_[0];
      text_.remove_prefix(1);
    }
    return !key.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(key[0]));
  }

  void Skip(absl::string_view what) {
    text_.remove_prefix(std::min(text_.find_first_not_of(what), text_.size()));
  }

  bool Take(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  absl::string_view text_;
};

std::vector<Item> ItemsFrom(absl::string_view text) {
  std::vector<Item> items;
  if (!ListReader(text).Read(items)) items.clear();
  return items;
}

}  // namespace

std::vector<RateLimit> RateLimitsFrom(absl::string_view text) {
  std::vector<RateLimit> limits;
  for (Item& item : ItemsFrom(text)) {
    const auto remaining = item.Number("r", 0, kMostRequests);
    const auto reset = item.Number("t", 0, kMostSeconds);
    if (remaining.has_value() && reset.has_value()) {
      limits.push_back({std::move(item.name), *remaining, absl::Seconds(*reset)});
    }
  }
  return limits;
}

std::vector<RateLimitPolicy> RateLimitPoliciesFrom(absl::string_view text) {
  std::vector<RateLimitPolicy> policies;
  for (Item& item : ItemsFrom(text)) {
    const auto quota = item.Number("q", 1, kMostRequests);
    const auto window = item.Number("w", 1, kMostSeconds);
    if (quota.has_value() && window.has_value()) {
      policies.push_back({std::move(item.name), *quota, absl::Seconds(*window)});
    }
  }
  return policies;
}

}  // namespace pcap_gateway
