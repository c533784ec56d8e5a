// Policy::Parse: JSON text to rules.
#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "service/access/policy.h"

namespace pcap_gateway {
namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 10;

// Beyond a name's length nothing is repeated: who mixes up two files puts a key here.
constexpr size_t kMostNameBytes = 40;

// The text as JSON, with no key twice in an object (of two equal keys parsers take one or the
// other, and a rule would be lost), and not deep.
class StrictSax final : public nlohmann::json_sax<Json> {
 public:
  StrictSax(const std::string& text, std::string& why) : text_(text), why_(why) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return Enter(); }
  bool end_object() override { return Leave(); }
  bool start_array(size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }

  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    why_ = "a key stands twice in one object";
    return false;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    // Which counts from 1, and is one more than there are where the text ends too early.
    const absl::string_view before =
        absl::string_view(text_).substr(0, std::max<size_t>(position, 1) - 1);
    const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    why_ =
        absl::StrCat("it is not JSON, at line ", 1 + std::count(before.begin(), before.end(), '\n'),
                     ", column ", before.size() - line_begin + 1);
    return false;
  }

 private:
  bool Enter() {
    keys_.emplace_back();
    if (keys_.size() <= kDeepest) return true;
    why_ = "it is nested too deep";
    return false;
  }
  bool Leave() {
    keys_.pop_back();
    return true;
  }

  const std::string& text_;
  std::string& why_;
  std::vector<std::set<std::string>> keys_;
};

// gRFC A43 names these: the first are not headers to HTTP/2, and the others belong to a connection.
bool IsForbiddenHeader(absl::string_view key) {
  static constexpr absl::string_view kHopByHop[] = {"connection",
                                                    "host",
                                                    "keep-alive",
                                                    "proxy-authenticate",
                                                    "proxy-authorization",
                                                    "te",
                                                    "trailer",
                                                    "transfer-encoding",
                                                    "upgrade"};
  return absl::StartsWith(key, ":") || absl::StartsWith(key, "grpc-") ||
         absl::EndsWith(key, "-bin") ||
         std::find(std::begin(kHopByHop), std::end(kHopByHop), key) != std::end(kHopByHop);
}

bool IsHeaderName(absl::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace

// Reads on after the first mistake with empty values; the first one is told.
class PolicyReader {
 public:
  absl::StatusOr<std::shared_ptr<const Policy>> Read(const std::string& text) {
    std::string why;
    StrictSax strict(text, why);
    if (!Json::sax_parse(text, &strict)) return absl::InvalidArgumentError(why);
    const Json root = Json::parse(text);
    auto policy = std::make_shared<Policy>();
    if (IsObject(root, "the policy", {"name", "deny_rules", "allow_rules", "account_rules"})) {
      NameIn(root, "the policy");
      if (root.contains("deny_rules")) policy->deny_ = RulesIn(root["deny_rules"], "deny_rules");
      if (root.contains("allow_rules")) {
        policy->allow_ = RulesIn(root["allow_rules"], "allow_rules");
      } else {
        Object("the policy has no allow_rules, so nobody could call");
      }
      if (root.contains("account_rules")) {
        policy->accounts_ = AccountRulesIn(root["account_rules"], "account_rules");
      }
    }
    if (!objection_.empty()) return absl::InvalidArgumentError(objection_);
    return policy;
  }

 private:
  void Object(absl::string_view what) {
    if (objection_.empty()) objection_ = std::string(what);
  }

  bool IsObject(const Json& value, absl::string_view where,
                std::initializer_list<absl::string_view> keys) {
    if (!value.is_object()) {
      Object(absl::StrCat(where, " is not an object"));
      return false;
    }
    for (const auto& [key, member] : value.items()) {
      if (std::find(keys.begin(), keys.end(), absl::string_view(key)) != keys.end()) continue;
      const bool shown = key.size() <= kMostNameBytes && IsHeaderName(absl::AsciiStrToLower(key));
      Object(absl::StrCat(where, " has an unknown key", shown ? absl::StrCat(" `", key, "`") : "",
                          "; there are: ", absl::StrJoin(keys, ", ")));
      return false;
    }
    return true;
  }

  // A list that is not empty.
  bool IsList(const Json& value, absl::string_view where) {
    if (value.is_array() && !value.empty()) return true;
    Object(absl::StrCat(where, value.is_array() ? " is empty" : " is not a list"));
    return false;
  }

  std::string TextOf(const Json& value, absl::string_view where) {
    if (value.is_string() && !value.get_ref<const std::string&>().empty()) return value;
    Object(absl::StrCat(where, " is not a text, or an empty one"));
    return "";
  }

  void NameIn(const Json& object, absl::string_view where) {
    if (!object.contains("name")) return Object(absl::StrCat(where, " has no name"));
    TextOf(object["name"], absl::StrCat(where, ": name"));
  }

  Policy::Patterns PatternsIn(const Json& list, const std::string& where) {
    Policy::Patterns patterns;
    if (!IsList(list, where)) return patterns;
    for (const Json& entry : list) patterns.push_back(PatternFrom(TextOf(entry, where), where));
    return patterns;
  }

  Policy::Pattern PatternFrom(const std::string& text, const std::string& where) {
    using Kind = Policy::Pattern::Kind;
    absl::string_view rest = text;
    Kind kind = Kind::kExact;
    if (rest == "*") {
      kind = Kind::kPresent;
      rest = "";
    } else if (absl::ConsumePrefix(&rest, "*")) {
      kind = Kind::kSuffix;
    } else if (absl::ConsumeSuffix(&rest, "*")) {
      kind = Kind::kPrefix;
    }
    // Elsewhere gRPC takes a star for a star, which nobody means.
    if (absl::StrContains(rest, '*')) {
      Object(absl::StrCat(where, ": a `*` may stand at the beginning or at the end, not both"));
    }
    return {kind, std::string(rest)};
  }

  std::vector<Policy::Rule> RulesIn(const Json& list, const std::string& where) {
    std::vector<Policy::Rule> rules;
    if (!IsList(list, where)) return rules;
    for (size_t i = 0; i < list.size(); ++i) {
      rules.push_back(RuleIn(list[i], absl::StrCat(where, "[", i, "]")));
    }
    return rules;
  }

  Policy::Rule RuleIn(const Json& value, const std::string& where) {
    Policy::Rule rule;
    if (!IsObject(value, where, {"name", "source", "request"})) return rule;
    NameIn(value, where);
    if (value.contains("source")) {
      const Json& source = value["source"];
      const std::string here = where + ".source";
      if (IsObject(source, here, {"principals"}) && source.contains("principals")) {
        rule.principals = PatternsIn(source["principals"], here + ".principals");
      }
    }
    if (value.contains("request")) {
      const Json& request = value["request"];
      const std::string here = where + ".request";
      if (!IsObject(request, here, {"paths", "headers"})) return rule;
      if (request.contains("paths")) rule.paths = PatternsIn(request["paths"], here + ".paths");
      if (request.contains("headers")) {
        rule.headers = HeadersIn(request["headers"], here + ".headers");
      }
    }
    return rule;
  }

  std::vector<Policy::Header> HeadersIn(const Json& list, const std::string& where) {
    std::vector<Policy::Header> headers;
    if (!IsList(list, where)) return headers;
    for (const Json& entry : list) {
      if (!IsObject(entry, where, {"key", "values"})) break;
      const std::string key = entry.contains("key") ? TextOf(entry["key"], where + ".key") : "";
      const std::string lower = absl::AsciiStrToLower(key);
      if (key != lower && IsHeaderName(lower)) {
        const bool shown = key.size() <= kMostNameBytes;
        Object(absl::StrCat(where, ": a key has capitals, which no header's name has",
                            shown ? absl::StrCat("; write `", lower, "`") : ""));
      }
      if (!IsHeaderName(key) || IsForbiddenHeader(key)) {
        Object(absl::StrCat(where, ": a key is no header that a rule may look at"));
      }
      if (!entry.contains("values")) Object(absl::StrCat(where, ": a key has no values"));
      headers.push_back({key, PatternsIn(entry.value("values", Json::array()), where + ".values")});
    }
    return headers;
  }

  std::vector<Policy::AccountRule> AccountRulesIn(const Json& list, const std::string& where) {
    std::vector<Policy::AccountRule> rules;
    if (!IsList(list, where)) return rules;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string here = absl::StrCat(where, "[", i, "]");
      if (!IsObject(list[i], here, {"name", "principals", "accounts"})) break;
      NameIn(list[i], here);
      Policy::AccountRule& rule = rules.emplace_back();
      rule.principals =
          PatternsIn(list[i].value("principals", Json::array()), here + ".principals");
      const Json accounts = list[i].value("accounts", Json::array());
      if (!IsList(accounts, here + ".accounts")) break;
      for (const Json& account : accounts) AddAccount(account, here + ".accounts", rule);
    }
    return rules;
  }

  void AddAccount(const Json& value, const std::string& where, Policy::AccountRule& rule) {
    const std::string text = TextOf(value, where);
    if (text == "*") {
      rule.any_account = true;
    } else if (const std::optional<Id> id = Id::Parse(text)) {
      rule.accounts.push_back(*id);
    } else {
      Object(absl::StrCat(where, ": an account is neither 32 lower-case hexadecimal digits nor *"));
    }
  }

  std::string objection_;
};

absl::StatusOr<std::shared_ptr<const Policy>> Policy::Parse(const std::string& json) {
  return PolicyReader().Read(json);
}

}  // namespace pcap_gateway
