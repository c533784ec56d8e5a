#include "service/rpc/request_fields.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {
namespace {

// google/protobuf/duration.proto: ±315,576,000,000 s, and nanos of the same sign as seconds.
constexpr int64_t kMostSeconds = 315576000000;
constexpr int32_t kMostNanos = 999999999;

constexpr size_t kMostDestination = 2048;

}  // namespace

Id RequestFields::ReadId(absl::string_view field, absl::string_view text) {
  const std::optional<Id> id = Id::Parse(text);
  if (!id.has_value()) {
    Violate(field, absl::StrCat("must be 32 lower-case hexadecimal digits; it has ", text.size(),
                                " bytes", text.size() == Id::kDigits ? " of another kind" : ""));
  }
  return id.value_or(Id());
}

Id RequestFields::ReadIdOr(absl::string_view field, absl::string_view text,
                           const std::optional<Id>& fallback) {
  if (!text.empty()) return ReadId(field, text);
  if (!fallback.has_value()) {
    Violate(field, "is empty, and this gateway has no default account (--default-account-id)");
  }
  return fallback.value_or(Id());
}

std::shared_ptr<const std::vector<Id>> RequestFields::ReadIds(
    absl::string_view field, const google::protobuf::RepeatedPtrField<std::string>& texts,
    int most) {
  if (texts.empty()) return nullptr;
  if (texts.size() > most) {
    Violate(field, absl::StrCat("can have at most ", most, " ids; it has ", texts.size()));
    return nullptr;
  }
  const size_t violations = violations_.size();
  absl::flat_hash_map<Id, int> first;  // place of each
  for (int i = 0; i < texts.size(); ++i) {
    const std::string element = absl::StrCat(field, "[", i, "]");
    const size_t before = violations_.size();
    const Id id = ReadId(element, texts[i]);
    if (violations_.size() > before) continue;
    const auto [place, is_new] = first.try_emplace(id, i);
    if (!is_new) {
      Violate(element, absl::StrCat("is the same id as ", field, "[", place->second, "]"));
    }
  }
  if (violations_.size() > violations) return nullptr;
  auto ids = std::make_shared<std::vector<Id>>();
  ids->reserve(first.size());
  for (const auto& [id, place] : first) ids->push_back(id);
  std::sort(ids->begin(), ids->end());
  return ids;
}

absl::Duration RequestFields::ReadMaxAge(absl::string_view field,
                                         const google::protobuf::Duration* duration) {
  if (duration == nullptr) return absl::InfiniteDuration();
  const int64_t seconds = duration->seconds();
  const int32_t nanos = duration->nanos();
  if (seconds < 0 || seconds > kMostSeconds || nanos < 0 || nanos > kMostNanos) {
    Violate(field, "must be a valid duration of 0 or more");
    return absl::InfiniteDuration();
  }
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

void RequestFields::CheckNumber(absl::string_view field, int64_t value, int64_t least,
                                int64_t most) {
  if (value >= least && value <= most) return;
  const std::string bounds = most == std::numeric_limits<int64_t>::max()
                                 ? absl::StrCat("must be ", least, " or more")
                                 : absl::StrCat("must be ", least, " to ", most);
  Violate(field, absl::StrCat(bounds, "; it is ", value));
}

void RequestFields::CheckSeconds(absl::string_view field,
                                 const google::protobuf::Duration* duration, int64_t least,
                                 int64_t most) {
  if (duration == nullptr) {
    return Violate(field, absl::StrCat("is required: ", least, " to ", most, " seconds"));
  }
  if (duration->nanos() != 0 || duration->seconds() < least || duration->seconds() > most) {
    Violate(field, absl::StrCat("must be whole seconds, ", least, " to ", most));
  }
}

void RequestFields::CheckText(absl::string_view field, absl::string_view text, size_t least,
                              size_t most) {
  if (text.empty() && least > 0) return Violate(field, "is required");
  const bool proper = std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
  if (!proper || text.size() < least || text.size() > most) {
    Violate(field, absl::StrCat("must be ", least, " to ", most,
                                " printable ASCII characters without spaces; it has ", text.size(),
                                " bytes", proper ? "" : ", others among them"));
  }
}

void RequestFields::CheckDestination(absl::string_view field, absl::string_view uri) {
  const size_t before = violations_.size();
  CheckText(field, uri, 1, kMostDestination);
  if (violations_.size() > before) return;
  for (const absl::string_view scheme : {"s3://", "gs://", "r2://"}) {
    absl::string_view bucket = uri;
    if (!absl::ConsumePrefix(&bucket, scheme)) continue;
    if (!bucket.empty() && !absl::StrContains("/?#", bucket[0])) return;
  }
  Violate(field, "must be the URI of a bucket: s3://BUCKET…, gs://BUCKET… or r2://BUCKET…");
}

std::optional<Error> RequestFields::error() && {
  if (violations_.empty()) return std::nullopt;
  Error error(absl::StatusCode::kInvalidArgument, Reason::kInvalidRequest,
              absl::StrCat(violations_[0].field, " ", violations_[0].description));
  error.metadata.emplace_back("field", violations_[0].field);
  error.field_violations = std::move(violations_);
  return error;
}

void RequestFields::Violate(absl::string_view field, std::string description) {
  violations_.push_back({std::string(field), std::move(description)});
}

}  // namespace pcap_gateway
