#include "service/shared/shared_entry.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/shared/redis_names.h"
#include "service/shared/sealed_value.h"
#include "service/shared/shared_entry.pb.h"

namespace pcap_gateway {
namespace {

constexpr absl::string_view kPurpose = "entry";

int64_t MicrosOf(absl::Time time) {
  return time == absl::InfinitePast() ? 0 : absl::ToUnixMicros(time);
}

absl::Time TimeOf(int64_t micros) {
  return micros == 0 ? absl::InfinitePast() : absl::FromUnixMicros(micros);
}

std::string TextOf(const Subject& subject, absl::string_view variant) {
  return absl::StrCat(subject.account.ToString(), "\n", subject.resource.ToString(), "\n",
                      subject.endpoint, "\n", variant);
}

}  // namespace

std::string EntryName(const Credential& credential, const Subject& subject,
                      absl::string_view variant) {
  return RedisName(credential, TextOf(subject, variant));
}

std::string WrittenName(const Subject& subject, absl::string_view variant) {
  return absl::StrCat(RedisNameForAll(TextOf(subject, variant)), ":written");
}

std::string SealedEntry(const Outcome& outcome, absl::Time as_of, absl::Duration lifetime,
                        absl::string_view name, const Credential& credential) {
  shared::SharedEntry entry;
  entry.set_as_of_micros(absl::ToUnixMicros(as_of));
  entry.set_lifetime_micros(absl::ToInt64Microseconds(lifetime));
  entry.set_final(outcome.stage == Stage::kFinal);
  entry.set_quiet(outcome.stage == Stage::kQuiet);
  entry.set_began_micros(MicrosOf(outcome.run.began));
  entry.set_ends_micros(MicrosOf(outcome.run.ends));
  entry.set_http_status(outcome.http_status);
  entry.set_cf_ray(std::string(outcome.cf_ray.text()));
  if (outcome.ok()) {
    entry.set_message(outcome.message);
  } else {
    shared::SharedEntry::NotFound& not_found = *entry.mutable_not_found();
    not_found.set_message(outcome.error->message);
    not_found.set_documentation_url(outcome.error->documentation_url);
    for (const auto& [key, value] : outcome.error->metadata) {
      (*not_found.mutable_metadata())[key] = value;
    }
  }
  const char mark = outcome.ok() && entry.final() ? kFinalMark : kMovingMark;
  return SealedValue(mark, entry.SerializeAsString(), name, kPurpose, credential);
}

std::optional<SharedEntry> OpenedEntry(absl::string_view value, absl::string_view name,
                                       const Credential& credential, Reason not_found_reason) {
  if (value.size() > kMostEntryBytes) return std::nullopt;
  const std::optional<absl::string_view> body = OpenedValue(value, name, kPurpose, credential);
  shared::SharedEntry entry;
  if (!body.has_value() || !entry.ParseFromArray(body->data(), static_cast<int>(body->size()))) {
    return std::nullopt;
  }

  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = absl::FromUnixMicros(entry.as_of_micros());
  outcome->stage = entry.final() ? Stage::kFinal : entry.quiet() ? Stage::kQuiet : Stage::kMoving;
  outcome->run = {.began = TimeOf(entry.began_micros()), .ends = TimeOf(entry.ends_micros())};
  outcome->http_status = entry.http_status();
  outcome->cf_ray = Ray(entry.cf_ray());
  switch (entry.outcome_case()) {
    case shared::SharedEntry::kMessage:
      outcome->message = std::move(*entry.mutable_message());
      break;
    case shared::SharedEntry::kNotFound: {
      shared::SharedEntry::NotFound& not_found = *entry.mutable_not_found();
      auto error = std::make_unique<Error>(absl::StatusCode::kNotFound, not_found_reason,
                                           std::move(*not_found.mutable_message()));
      error->documentation_url = std::move(*not_found.mutable_documentation_url());
      error->metadata.assign(not_found.metadata().begin(), not_found.metadata().end());
      outcome->error = std::move(error);
      break;
    }
    case shared::SharedEntry::OUTCOME_NOT_SET:
      return std::nullopt;
  }
  return SharedEntry{std::move(outcome), absl::Microseconds(entry.lifetime_micros())};
}

}  // namespace pcap_gateway
