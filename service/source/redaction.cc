#include "service/source/redaction.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {
namespace {

constexpr auto npos = absl::string_view::npos;

// Letters and digits of the names of secrets, lower case. A name counts if it ends in one of them.
constexpr absl::string_view kSecretNames[] = {
    "accesskey", "accesskeyid",  "secretkey",     "secret",        "password",
    "passwd",    "sessiontoken", "securitytoken", "authorization", "authkey",
    "authemail", "apikey",       "apitoken",
};

// How far back from a `=` its name is looked for. Longer than any name in the list, with room for
// separators and quotes.
constexpr size_t kMostNameBytes = 40;

// Parameters that buckets' URIs are known to have. A parameter without `=` and with another name
// may be a secret that lost its name.
constexpr absl::string_view kParameters[] = {"region", "account-id", "access-key-id",
                                             "secret-access-key"};

constexpr absl::string_view kSchemeEnd = "://";

bool IsQuote(char c) { return c == '"' || c == '\'' || c == '`'; }

bool IsSpace(char c) { return static_cast<unsigned char>(c) <= ' '; }

bool IsPlain(absl::string_view text, absl::string_view also) {
  return std::all_of(text.begin(), text.end(), [also](unsigned char c) {
    return absl::ascii_isalnum(c) || also.find(static_cast<char>(c)) != npos;
  });
}

bool IsKnownParameter(absl::string_view name) {
  return std::find(std::begin(kParameters), std::end(kParameters), name) != std::end(kParameters);
}

// The length of the percent-encoded character `%3X` that `text` has at `at`, also of one whose `%`
// is encoded itself (`%253X`), as often as may be; 0: there is none.
size_t EncodedLength(absl::string_view text, size_t at, char last_digit) {
  if (at >= text.size() || text[at] != '%') return 0;
  size_t end = at + 1;
  while (absl::StartsWith(text.substr(end), "25")) end += 2;
  const bool encoded =
      end + 1 < text.size() && text[end] == '3' && absl::ascii_toupper(text[end + 1]) == last_digit;
  return encoded ? end + 2 - at : 0;
}

size_t EncodedQuestionMark(absl::string_view text, size_t at) {
  return EncodedLength(text, at, 'F');
}

size_t EncodedEquals(absl::string_view text, size_t at) { return EncodedLength(text, at, 'D'); }

// Where a URI's part before query and fragment ends.
size_t QueryStart(absl::string_view text, size_t from, size_t end) {
  for (size_t i = from; i < end; ++i) {
    if (text[i] == '?' || text[i] == '#' || EncodedQuestionMark(text, i) > 0) return i;
  }
  return end;
}

// Where the word that goes on at `from` ends: at white space, or at a quote that does not open a
// value (`key="value"`).
size_t WordEnd(absl::string_view text, size_t from) {
  size_t i = from;
  while (i < text.size() && !IsSpace(text[i])) {
    if (!IsQuote(text[i])) {
      ++i;
      continue;
    }
    const absl::string_view before = absl::StripSuffix(text.substr(from, i - from), "\\");
    if (before.empty() || before.back() != '=') return i;
    const size_t closing = text.find(text[i], i + 1);
    i = closing == npos ? text.size() : closing + 1;
  }
  return i;
}

void AppendParameter(absl::string_view parameter, std::string& out) {
  const size_t equals = parameter.find('=');
  const absl::string_view name = parameter.substr(0, equals);
  const absl::string_view value =
      equals == npos ? absl::string_view() : parameter.substr(equals + 1);
  if (parameter.empty()) return;
  // What is no proper name, or names nothing, may be what is to be hidden: another URI, or base64
  // with its padding.
  const bool has_value = std::any_of(value.begin(), value.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || !absl::ascii_isascii(c);
  });
  if (!IsPlain(name, "-_.~+%[];") || (!has_value && !IsKnownParameter(name))) {
    absl::StrAppend(&out, kRedacted);
    return;
  }
  absl::StrAppend(&out, name);
  if (equals == npos) return;
  out += '=';
  if (MayBeShown(name, value)) {
    absl::StrAppend(&out, value);
  } else if (!value.empty()) {
    absl::StrAppend(&out, kRedacted);
  }
}

// `query`: what follows the `?` (or `mark`, if that is '#', the fragment).
void AppendQuery(char mark, absl::string_view query, std::string& out) {
  size_t fragment = mark == '#' ? 0 : query.find('#');
  if (fragment == npos) fragment = query.size();
  absl::string_view parameters = query.substr(0, fragment);
  while (!parameters.empty()) {
    const size_t end = std::min(parameters.find('&'), parameters.size());
    AppendParameter(parameters.substr(0, end), out);
    if (end < parameters.size()) out += '&';
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  absl::string_view rest = query.substr(fragment);
  if (mark != '#' && absl::ConsumePrefix(&rest, "#")) out += '#';
  if (!rest.empty()) absl::StrAppend(&out, kRedacted);
}

// The part of an authority after a colon. A port, or a password whose slash
// (`key:pass/word@bucket`) ends what is formally the authority. Punctuation at the end is the
// sentence's around the URI.
struct AfterColon {
  bool present = false;
  bool is_port = true;
};

AfterColon AfterColonOf(absl::string_view authority) {
  const absl::string_view host = authority.substr(authority.rfind('@') + 1);
  const size_t colon = host.find(':');
  if (colon == npos || host.front() == '[') return {};  // `[`: an IPv6 address
  absl::string_view port = host.substr(colon + 1);
  port = port.substr(0, port.find_last_not_of(".,:;)") + 1);
  return {.present = true, .is_port = std::all_of(port.begin(), port.end(), absl::ascii_isdigit)};
}

// Walks through a text once, from left to right.
class TextRedactor {
 public:
  TextRedactor(absl::string_view text, std::string& out) : text_(text), out_(out) {}

  void Run() {
    while (true) {
      const size_t mark = NextMark();
      absl::StrAppend(&out_, text_.substr(at_, mark - at_));
      at_ = mark;
      if (at_ == text_.size()) return;
      if (absl::StartsWith(text_.substr(at_), kSchemeEnd)) {
        TakeAuthority();
      } else if (at_ < uri_end_ && at_ == query_start_) {
        TakeQuery();
      } else if (const size_t separator = SeparatorLength();
                 separator > 0 && IsSecretName(text_.substr(0, at_))) {
        Copy(separator);
        TakeSecret();
      } else {
        Copy(1);
      }
    }
  }

 private:
  // The next character that can begin anything to hide.
  size_t NextMark() const {
    size_t i = at_;
    while (i < text_.size() && !kMarks[static_cast<unsigned char>(text_[i])]) ++i;
    return i;
  }

  static constexpr std::array<bool, 256> kMarks = [] {
    std::array<bool, 256> marks{};
    for (const char c : {':', '=', '?', '#', '%'}) marks[static_cast<unsigned char>(c)] = true;
    return marks;
  }();

  // Of what stands between a name and its value.
  size_t SeparatorLength() const {
    if (text_[at_] == '=' || text_[at_] == ':') return 1;
    return EncodedEquals(text_, at_);
  }

  void Copy(size_t bytes) {
    absl::StrAppend(&out_, text_.substr(at_, bytes));
    at_ += bytes;
  }

  // From `://` to the path. A URI may hold another one; where it ends is looked for only once.
  void TakeAuthority() {
    Copy(kSchemeEnd.size());
    if (at_ >= uri_end_) {
      uri_end_ = WordEnd(text_, at_);
      query_start_ = QueryStart(text_, at_, uri_end_);
      const size_t sign = text_.substr(at_, query_start_ - at_).rfind('@');
      last_at_sign_ = sign == npos ? 0 : at_ + sign;
    }
    const absl::string_view to_query = text_.substr(at_, std::max(query_start_, at_) - at_);
    const absl::string_view authority = to_query.substr(0, to_query.find('/'));
    const AfterColon after_colon = AfterColonOf(authority);
    const size_t sign = authority.rfind('@');
    const size_t end = at_ + authority.size();
    if (!after_colon.is_port || (after_colon.present && last_at_sign_ > end)) {
      absl::StrAppend(&out_, kRedacted);
      at_ = std::max(end, last_at_sign_);
    } else if (sign != npos && sign > 0) {
      absl::StrAppend(&out_, kRedacted);
      at_ += sign;
    }
  }

  void TakeQuery() {
    const char mark = text_[at_];
    Copy(mark == '%' ? EncodedQuestionMark(text_, at_) : 1);
    AppendQuery(mark, text_.substr(at_, uri_end_ - at_), out_);
    at_ = uri_end_;
  }

  // What follows a secret's name and a separator.
  void TakeSecret() {
    while (at_ < text_.size() && IsBeforeValue(text_[at_])) Copy(1);
    const size_t closing = ClosingQuote();
    size_t end = std::max(WordEnd(text_, at_), uri_end_);
    if (IsScheme(text_.substr(at_, end - at_))) {
      while (end < text_.size() && IsSpace(text_[end])) ++end;
      Copy(end - at_);
      end = std::max(WordEnd(text_, at_), uri_end_);
    }
    // A value in quotes may have blanks.
    if (closing != npos) end = std::max(end, closing);
    const absl::string_view value = text_.substr(at_, end - at_);
    if (value.empty()) return;
    absl::StrAppend(&out_, kRedacted);
    const size_t next = value.find('&');
    if (next != npos) {
      out_ += '&';
      AppendQuery('?', value.substr(next + 1), out_);
    }
    at_ = end;
  }

  // Where the quote that was opened just before ends; npos: there is none, or it does not end.
  size_t ClosingQuote() {
    const char quote = at_ == 0 ? ' ' : text_[at_ - 1];
    if (!IsQuote(quote) || absl::StrContains(endless_, quote)) return npos;
    size_t i = at_;
    while (i < text_.size() && text_[i] != quote) i += text_[i] == '\\' ? 2 : 1;
    if (i < text_.size()) return i;
    endless_ += quote;
    return npos;
  }

  static bool IsBeforeValue(char c) {
    return IsSpace(c) || IsQuote(c) || absl::StrContains("=:>\\([{", c);
  }

  // Of the header `Authorization`: what it precedes is the secret.
  static bool IsScheme(absl::string_view word) {
    return absl::EqualsIgnoreCase(word, "bearer") || absl::EqualsIgnoreCase(word, "basic") ||
           absl::EqualsIgnoreCase(word, "token");
  }

  const absl::string_view text_;
  std::string& out_;
  size_t at_ = 0;
  // Of the URI that at_ is in, if at_ < uri_end_: its end, the end of its path, and the last `@`
  // before that (0: none).
  size_t uri_end_ = 0;
  size_t query_start_ = 0;
  size_t last_at_sign_ = 0;
  std::string endless_;  // quotes of which none ends any more: each is looked for once
};

}  // namespace

bool MayBeShown(absl::string_view name, absl::string_view value) {
  return (name == "region" || name == "account-id") && IsPlain(value, "-_");
}

bool IsSecretName(absl::string_view name) {
  name.remove_prefix(name.size() - std::min(name.size(), kMostNameBytes));
  std::array<char, kMostNameBytes> letters;
  size_t count = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    auto c = static_cast<unsigned char>(name[i]);
    if (c == '%') {  // encoded, as often as may be: a separator (`access%2Dkey`), or any character
      ++i;
      while (absl::StartsWith(name.substr(std::min(i, name.size())), "25")) i += 2;
      const absl::string_view digits = name.substr(std::min(i, name.size()), 2);
      ++i;
      unsigned value = 0;
      c = absl::SimpleHexAtoi(digits, &value) ? static_cast<unsigned char>(value) : '\0';
    }
    if (absl::ascii_isalnum(c)) letters[count++] = absl::ascii_tolower(c);
  }
  return std::any_of(std::begin(kSecretNames), std::end(kSecretNames),
                     [normal = absl::string_view(letters.data(), count)](absl::string_view known) {
                       return absl::EndsWith(normal, known);
                     });
}

void AppendRedactedText(absl::string_view text, std::string& out) { TextRedactor(text, out).Run(); }

std::string RedactText(absl::string_view text) {
  std::string out;
  AppendRedactedText(text, out);
  return out;
}

void AppendRedactedDestination(absl::string_view uri, std::string& out) {
  const size_t query = QueryStart(uri, 0, uri.size());
  absl::string_view path = uri.substr(0, query);
  const size_t sign = path.rfind('@');
  if (sign != npos && !absl::StrContains(path.substr(0, sign), kSchemeEnd)) {
    absl::StrAppend(&out, kRedacted);
    path.remove_prefix(sign);
  }
  AppendRedactedText(path, out);
  if (query == uri.size()) return;
  const size_t mark_bytes = uri[query] == '%' ? EncodedQuestionMark(uri, query) : 1;
  absl::StrAppend(&out, uri.substr(query, mark_bytes));
  AppendQuery(uri[query], uri.substr(query + mark_bytes), out);
}

std::string RedactDestination(absl::string_view uri) {
  std::string out;
  AppendRedactedDestination(uri, out);
  return out;
}

}  // namespace pcap_gateway
