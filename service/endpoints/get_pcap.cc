#include "service/endpoints/get_pcap.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/arena.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/mapping/envelope.h"
#include "service/mapping/error_from_http.h"
#include "service/mapping/json_value.h"
#include "service/mapping/pcap_from_json.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

using pcap::v1::GetPcapResponse;

// Enough for a usual capture, so that building its message asks for no memory.
constexpr size_t kArenaBytes = 4096;

std::string Path(const Query& query) {
  return absl::StrCat("/accounts/", query.account.ToString(), "/pcaps/", query.resource.ToString());
}

Outcome Failed(Outcome outcome, Error error) {
  outcome.error = std::make_unique<const Error>(std::move(error));
  return outcome;
}

// Whether `result` is about `asked`. Every field of a capture is optional, so one without an id
// says nothing else; and hexadecimal digits are the same in capitals.
bool IsAbout(const JsonValue& result, const Id& asked) {
  const JsonValue* const id = result.Find("id");
  if (id == nullptr || id->is_null()) return true;
  if (!id->is_string()) return false;
  const std::string digits = asked.ToString();
  return id->text() == digits || absl::EqualsIgnoreCase(id->text(), digits);
}

Outcome Parse(const HttpAnswer& answer, const ParseOptions& options) {
  Outcome outcome;
  outcome.http_status = answer.status;
  JsonDocument document = JsonDocument::Parse(answer.body);
  if (options.credential != nullptr) document.Redact(options.credential->finder());
  const Credential::Owner owner =
      options.credential == nullptr ? Credential::Owner::kGateway : options.credential->owner();
  const Envelope envelope = ReadEnvelope(document.root());
  if (std::optional<Error> error = ErrorFromHttp(answer, document, envelope, owner, options.now)) {
    return Failed(std::move(outcome), *std::move(error));
  }
  if (envelope.result == nullptr) {
    return Failed(std::move(outcome), InvalidResponse(answer, "without a result"));
  }
  if (!envelope.result->is_object()) {
    return Failed(std::move(outcome),
                  InvalidResponse(answer, "with a result that is not an object"));
  }
  if (options.resource.has_value() && !IsAbout(*envelope.result, *options.resource)) {
    return Failed(std::move(outcome),
                  InvalidResponse(answer, "with a capture that is not the one asked for"));
  }

  alignas(std::max_align_t) char block[kArenaBytes];
  google::protobuf::ArenaOptions arena_options;
  arena_options.initial_block = block;
  arena_options.initial_block_size = sizeof(block);
  google::protobuf::Arena arena(arena_options);
  auto& response = *GetPcapResponse::default_instance().New(&arena);
  const Secrets secrets = options.reveal_destination_secrets ? Secrets::kReveal : Secrets::kHide;
  PcapFromJson(*envelope.result, secrets, *response.mutable_pcap());
  AppendInfos(envelope.messages, secrets, *response.mutable_messages());
  // JSON of 1 MiB can become five times as much: each digit of an unknown list of digits takes
  // eleven bytes.
  if (response.ByteSizeLong() > kMostOutcomeBytes) {
    return Failed(std::move(outcome),
                  Error(absl::StatusCode::kInternal, Reason::kUpstreamResponseTooLarge,
                        "Cloudflare's answer is larger than the gateway can pass on"));
  }
  outcome.stage = StageOf(response.pcap());
  outcome.run = RunOf(response.pcap());
  outcome.message = response.SerializeAsString();
  return outcome;
}

}  // namespace

const Endpoint kGetPcap = {
    .name = "GetPcap",
    .number = 1,
    .method = "GET",
    .idempotent = true,
    .path = Path,
    .parse = Parse,
};

}  // namespace pcap_gateway
