#include "service/mapping/envelope.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/mapping/decimal.h"
#include "service/mapping/field_reader.h"

namespace pcap_gateway {
namespace {

using pcap::v1::ResponseInfo;

// The member `name`, unless it is null.
const JsonValue* Part(const JsonValue& object, absl::string_view name) {
  const JsonValue* const part = object.Find(name);
  return part == nullptr || part->is_null() ? nullptr : part;
}

// What `success` says; nullopt: nothing.
std::optional<bool> Said(const JsonValue* success) {
  if (success == nullptr) return std::nullopt;
  switch (success->kind()) {
    case JsonValue::Kind::kBoolean:
      return success->boolean();
    case JsonValue::Kind::kNumber:
      return !Decimal::Parse(success->text()).is_zero();
    case JsonValue::Kind::kString:
      if (absl::EqualsIgnoreCase(success->text(), "true")) return true;
      if (absl::EqualsIgnoreCase(success->text(), "false")) return false;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// A code: a number, or a number in quotes.
std::optional<int64_t> CodeFrom(const JsonValue& json) {
  int64_t code;
  if (json.is_string() && absl::SimpleAtoi(json.text(), &code)) return code;
  return Int64From(json);
}

// A text, or a number in its place.
std::optional<std::string> WordsFrom(const JsonValue& json, Secrets secrets) {
  if (json.is_number()) return std::string(json.text());
  return TextFrom(json, secrets);
}

// Whether `heading`, a URI's fragment, can only be the name of a heading, since `page` is a page of
// Cloudflare's own.
bool IsHeadingOf(absl::string_view page, absl::string_view heading) {
  if (!absl::ConsumePrefix(&page, "https://") || absl::StrContains(page, "://")) return false;
  return absl::EndsWith(page.substr(0, page.find('/')), ".cloudflare.com") &&
         std::all_of(heading.begin(), heading.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

// A link. Redaction alone would hide which heading of Cloudflare's documentation it leads to.
std::optional<std::string> LinkFrom(const JsonValue& json, Secrets secrets) {
  const absl::string_view link = json.text();
  const size_t hash = link.find('#');
  if (!json.is_string() || secrets == Secrets::kReveal || hash == absl::string_view::npos ||
      !IsHeadingOf(link.substr(0, hash), link.substr(hash + 1))) {
    return TextFrom(json, secrets);
  }
  return absl::StrCat(RedactText(link.substr(0, hash)), link.substr(hash));
}

void FillInfo(const JsonValue& json, Secrets secrets, ResponseInfo& info) {
  for (const JsonValue& part : json.children()) {
    if (part.name() == "code") {
      Put(CodeFrom(part), [&](int64_t code) { info.set_code(code); });
    } else if (part.name() == "message") {
      Put(WordsFrom(part, secrets), [&](std::string words) { info.set_message(std::move(words)); });
    } else if (part.name() == "documentation_url") {
      Put(LinkFrom(part, secrets),
          [&](std::string link) { info.set_documentation_url(std::move(link)); });
    } else if (part.name() == "source") {
      const JsonValue* const pointer = part.is_object() ? Part(part, "pointer") : &part;
      if (pointer == nullptr) continue;
      Put(TextFrom(*pointer, secrets),
          [&](std::string text) { info.set_source_pointer(std::move(text)); });
    }
  }
}

void AppendInfo(const JsonValue& json, Secrets secrets, ResponseInfos& infos, int most) {
  if (infos.size() >= most) return;
  switch (json.kind()) {
    case JsonValue::Kind::kString:
      if (json.text().empty()) return;
      Put(TextFrom(json, secrets),
          [&](std::string text) { infos.Add()->set_message(std::move(text)); });
      return;
    case JsonValue::Kind::kNumber:
      Put(CodeFrom(json), [&](int64_t code) { infos.Add()->set_code(code); });
      return;
    case JsonValue::Kind::kObject:
      if (json.children().empty()) return;
      FillInfo(json, secrets, *infos.Add());
      // As deep as the document at most.
      AppendInfos(json.Find("error_chain"), secrets, infos, most);
      return;
    default:
      return;
  }
}

}  // namespace

Envelope ReadEnvelope(const JsonValue& root) {
  Envelope envelope;
  if (!root.is_object()) return envelope;
  envelope.result = Part(root, "result");
  envelope.errors = Part(root, "errors");
  envelope.messages = Part(root, "messages");

  ResponseInfos first_error;
  AppendInfos(envelope.errors, Secrets::kHide, first_error, 1);
  const bool has_errors = !first_error.empty();
  const std::optional<bool> said = Said(root.Find("success"));
  envelope.is_envelope = Part(root, "success") != nullptr || envelope.errors != nullptr;
  if (!root.Find("success") && !root.Find("result") && !has_errors) return envelope;
  const bool failed =
      said == false || (has_errors && (!said.has_value() || envelope.result == nullptr));
  envelope.kind = failed ? Envelope::Kind::kFailure : Envelope::Kind::kSuccess;
  return envelope;
}

void AppendInfos(const JsonValue* list, Secrets secrets, ResponseInfos& infos, int most) {
  if (list == nullptr) return;
  switch (list->kind()) {
    case JsonValue::Kind::kArray:
      for (const JsonValue& entry : list->children()) AppendInfo(entry, secrets, infos, most);
      return;
    case JsonValue::Kind::kString:
    case JsonValue::Kind::kObject:
      AppendInfo(*list, secrets, infos, most);
      return;
    default:
      return;
  }
}

}  // namespace pcap_gateway
