#include "service/source/secret_finder.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {
namespace {

constexpr absl::string_view kReplacement = "REDACTED";

// An escape inside an escape inside an escape: a proxy that quotes a proxy.
constexpr int kMostRounds = 4;

// What is shorter stands in many a text in base64 or hexadecimal digits by chance.
constexpr size_t kLeastEncoded = 12;

constexpr size_t kShortest = 3;

// One for what is the same to us: a letter's cases, the two alphabets of base64.
constexpr std::array<char, 256> kFolded = [] {
  std::array<char, 256> folded{};
  for (int c = 0; c < 256; ++c) {
    folded[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  folded['+'] = '-';
  folded['/'] = '_';
  return folded;
}();

char Fold(char c) { return kFolded[static_cast<unsigned char>(c)]; }

std::string Folded(absl::string_view text) {
  std::string folded(text.size(), '\0');
  std::transform(text.begin(), text.end(), folded.begin(), Fold);
  return folded;
}

size_t HashOf(char first, char second) {
  return (static_cast<unsigned char>(first) * 33U ^ static_cast<unsigned char>(second) * 5U) % 1024;
}

// What base64 makes of `secret` after `before` bytes of something else, as far as it says nothing
// about these and what follows.
std::string Base64Within(absl::string_view secret, size_t before) {
  const std::string encoded = absl::Base64Escape(absl::StrCat(std::string(before, ' '), secret));
  const size_t first = (8 * before + 5) / 6;
  const size_t end = 8 * (before + secret.size()) / 6;
  return encoded.substr(first, end - first);
}

// An escape at the start of a text: its bytes, and the character that it stands for.
struct Escape {
  size_t bytes;
  char character;
};

// The number at the start of `text`, of `least` to `most` digits to `base`, as a character.
std::optional<Escape> NumberAt(absl::string_view text, int base, size_t least, size_t most) {
  size_t digits = 0;
  unsigned value = 0;
  while (digits < most && digits < text.size()) {
    const auto c = static_cast<unsigned char>(text[digits]);
    if (base == 16 ? !absl::ascii_isxdigit(c) : !absl::ascii_isdigit(c)) break;
    value = value * base + (absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10);
    ++digits;
  }
  if (digits < least || value == 0 || value > 0x7E) return std::nullopt;
  return Escape{digits, static_cast<char>(value)};
}

std::optional<Escape> EscapeAt(absl::string_view text) {
  const auto number = [&](absl::string_view mark, int base, size_t least, size_t most,
                          absl::string_view end) -> std::optional<Escape> {
    if (!absl::StartsWith(text, mark)) return std::nullopt;
    const auto escape = NumberAt(text.substr(mark.size()), base, least, most);
    if (!escape.has_value()) return std::nullopt;
    const size_t bytes = mark.size() + escape->bytes;
    const bool ended = absl::StartsWith(text.substr(bytes), end);
    return Escape{bytes + (ended ? end.size() : 0), escape->character};
  };
  std::optional<Escape> escape;
  switch (text[0]) {
    case '%':
      return number("%", 16, 2, 2, "");
    case '&':
      escape = number("&#x", 16, 1, 8, ";");
      return escape.has_value() ? escape : number("&#", 10, 1, 8, ";");
    case '\\':
      escape = number("\\u", 16, 4, 4, "");
      if (!escape.has_value()) escape = number("\\u{", 16, 1, 8, "}");
      if (!escape.has_value()) escape = number("\\x", 16, 2, 2, "");
      if (!escape.has_value() && text.size() > 1 && absl::ascii_ispunct(text[1])) {
        escape = Escape{2, text[1]};
      }
      return escape;
    default:
      return std::nullopt;
  }
}

// Whether anything in it is an escape.
bool HasEscape(absl::string_view text) {
  const auto has = [text](char c) { return std::memchr(text.data(), c, text.size()) != nullptr; };
  return !text.empty() && (has('%') || has('\\') || absl::StrContains(text, "&#"));
}

}  // namespace

struct SecretFinder::Plain {
  std::string folded;
  std::vector<size_t> begins;  // one more than characters
};

SecretFinder::SecretFinder(const std::vector<absl::string_view>& secrets) {
  for (const absl::string_view secret : secrets) AddForms(secret);
  // The longest first: of two that begin at one place, all is to be replaced.
  std::sort(forms_.begin(), forms_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  if (forms_.empty()) return;
  shortest_ = std::min<size_t>(forms_.back().size(), 255);
  shifts_.fill(static_cast<uint8_t>(shortest_ - 1));
  for (const std::string& form : forms_) {
    for (size_t i = 1; i < shortest_; ++i) {
      uint8_t& shift = shifts_[HashOf(form[i - 1], form[i])];
      shift = std::min(shift, static_cast<uint8_t>(shortest_ - 1 - i));
    }
  }
}

void SecretFinder::AddForms(absl::string_view secret) {
  if (secret.size() < kShortest) return;
  forms_.push_back(Folded(secret));
  if (secret.size() < kLeastEncoded) return;
  forms_.push_back(absl::BytesToHexString(secret));
  for (const size_t before : {0, 1, 2}) forms_.push_back(Folded(Base64Within(secret, before)));
}

bool SecretFinder::MayHold(absl::string_view text) const {
  if (shortest_ == 0 || text.size() < shortest_) return false;
  if (HasEscape(text)) return true;
  for (size_t last = shortest_ - 1; last < text.size();) {
    const uint8_t shift = shifts_[HashOf(Fold(text[last - 1]), Fold(text[last]))];
    if (shift == 0) {
      // The rest of the way is rare: two characters that end the first `shortest_` of a form.
      const size_t begin = last + 1 - shortest_;
      for (const std::string& form : forms_) {
        size_t same = 0;
        while (same < shortest_ && Fold(text[begin + same]) == form[same]) ++same;
        if (same == shortest_) return true;
      }
    }
    last += std::max<size_t>(shift, 1);
  }
  return false;
}

size_t SecretFinder::FormLength(absl::string_view folded) const {
  for (const std::string& form : forms_) {
    if (absl::StartsWith(folded, form)) return form.size();
  }
  return 0;
}

void SecretFinder::Find(absl::string_view folded, const Plain* plain,
                        std::vector<Range>& found) const {
  for (size_t last = shortest_ - 1; last < folded.size();) {
    const uint8_t shift = shifts_[HashOf(folded[last - 1], folded[last])];
    const size_t begin = last + 1 - shortest_;
    const size_t length = shift == 0 ? FormLength(folded.substr(begin)) : 0;
    if (length > 0) {
      const size_t end = begin + length;
      found.push_back(plain == nullptr ? Range{begin, end}
                                       : Range{plain->begins[begin], plain->begins[end]});
    }
    last += std::max<size_t>(length > 0 ? length : shift, 1);
  }
}

bool SecretFinder::Redact(std::string& text) const {
  if (!MayHold(text)) return false;
  std::vector<Range> found;
  Plain plain;
  plain.folded = Folded(text);
  Find(plain.folded, nullptr, found);
  for (int round = 0; round < kMostRounds && HasEscape(plain.folded); ++round) {
    Plain next;
    bool changed = false;
    const absl::string_view all = plain.folded;
    for (size_t at = 0; at < all.size();) {
      const std::optional<Escape> escape = EscapeAt(all.substr(at));
      changed = changed || escape.has_value();
      next.folded += Fold(escape.has_value() ? escape->character : all[at]);
      next.begins.push_back(round == 0 ? at : plain.begins[at]);
      at += escape.has_value() ? escape->bytes : 1;
    }
    if (!changed) break;
    next.begins.push_back(text.size());
    plain = std::move(next);
    Find(plain.folded, &plain, found);
  }
  if (found.empty()) return false;
  std::sort(found.begin(), found.end(), [](Range a, Range b) { return a.begin < b.begin; });
  std::string clean;
  size_t done = 0;
  for (const Range range : found) {
    if (range.end <= done) continue;
    if (range.begin >= done) {
      absl::StrAppend(&clean, absl::string_view(text).substr(done, range.begin - done),
                      kReplacement);
    }
    done = range.end;
  }
  absl::StrAppend(&clean, absl::string_view(text).substr(done));
  text = std::move(clean);
  return true;
}

}  // namespace pcap_gateway
