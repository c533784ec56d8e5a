#include "service/endpoints/ownerships.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/endpoints/answer.h"
#include "service/mapping/extra_fields.h"
#include "service/mapping/ownership_from_json.h"
#include "service/mapping/pcap_to_json.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

using pcap::v1::DeleteOwnershipResponse;
using pcap::v1::ListOwnershipsResponse;
using pcap::v1::Ownership;

std::string OwnershipsPath(const Query& query) {
  return absl::StrCat(PcapsPath(query), "/ownership");
}
std::string ValidatePath(const Query& query) {
  return absl::StrCat(OwnershipsPath(query), "/validate");
}
std::string OwnershipPath(const Query& query) {
  return absl::StrCat(OwnershipsPath(query), "/", query.resource.ToString());
}

Outcome ParseList(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (std::optional<Outcome> none = opened.NoList()) return *std::move(none);

  ResponseArena arena;
  auto& response = *ListOwnershipsResponse::default_instance().New(arena.arena());
  const Secrets secrets = SecretsOf(options);
  bool moves = false;
  const auto add = [&](const JsonValue& element) {
    if (element.is_null()) return;
    Ownership& ownership = *response.add_ownerships();
    if (element.is_object()) {
      OwnershipFromJson(element, secrets, ownership);
    } else {
      // Nothing is lost: it stands under the name that it has, which is none.
      ExtraFields(ownership, secrets).Keep("", element);
    }
    // A wrong proof changes by another one alone, which outdates the list.
    moves = moves || (ownership.status() != pcap::v1::OWNERSHIP_STATUS_SUCCESS &&
                      ownership.status() != pcap::v1::OWNERSHIP_STATUS_FAILED);
  };
  if (opened.result() != nullptr) {
    for (const JsonValue& element : opened.result()->children()) add(element);
  }
  AppendInfos(opened.envelope().messages, secrets, *response.mutable_messages());
  Outcome outcome = opened.Answered(response);
  if (outcome.ok()) outcome.stage = moves ? Stage::kMoving : Stage::kQuiet;
  return outcome;
}

// Of a write that answers with the bucket as it is now.
template <typename Response>
Outcome ParseOne(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (std::optional<Outcome> none = opened.NoObject()) return *std::move(none);
  ResponseArena arena;
  auto& response = *Response::default_instance().New(arena.arena());
  const Secrets secrets = SecretsOf(options);
  OwnershipFromJson(*opened.result(), secrets, *response.mutable_ownership());
  AppendInfos(opened.envelope().messages, secrets, *response.mutable_messages());
  return opened.Answered(response);
}

// Cloudflare promises no body: whatever comes with a 2xx will do, unless it says that it failed.
Outcome ParseDeleted(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (std::optional<Outcome> none = opened.NoSuccess()) return *std::move(none);
  DeleteOwnershipResponse response;
  AppendInfos(opened.envelope().messages, SecretsOf(options), *response.mutable_messages());
  return opened.Answered(response);
}

std::vector<Subject> OutdatesList(const Query& query) {
  return {{query.account, Id(), kListOwnerships.number}};
}

}  // namespace

std::shared_ptr<const std::string> BodyOf(const pcap::v1::CreateOwnershipRequest& request) {
  return std::make_shared<const std::string>(JsonOf(request));
}

std::shared_ptr<const std::string> BodyOf(const pcap::v1::ValidateOwnershipRequest& request) {
  return std::make_shared<const std::string>(JsonOf(request));
}

const Endpoint kListOwnerships = {
    .name = "ListOwnerships",
    .number = 30,
    .method = "GET",
    .effect = Effect::kReads,
    .not_found = Reason::kAccountNotFound,
    .target = OwnershipsPath,
    .parse = ParseList,
};

const Endpoint kCreateOwnership = {
    .name = "CreateOwnership",
    .number = 31,
    .method = "POST",
    .effect = Effect::kWritesOnce,
    .not_found = Reason::kAccountNotFound,
    .target = OwnershipsPath,
    .parse = ParseOne<pcap::v1::CreateOwnershipResponse>,
    .outdates = OutdatesList,
};

// Sent once, as nobody documents that a second proof leaves the first one's turn alone.
const Endpoint kValidateOwnership = {
    .name = "ValidateOwnership",
    .number = 32,
    .method = "POST",
    .effect = Effect::kWritesOnce,
    .not_found = Reason::kOwnershipNotFound,
    .target = ValidatePath,
    .parse = ParseOne<pcap::v1::ValidateOwnershipResponse>,
    .outdates = OutdatesList,
};

// Sent once, as the second answer would be a 404 for a bucket that the first one took away.
const Endpoint kDeleteOwnership = {
    .name = "DeleteOwnership",
    .number = 33,
    .method = "DELETE",
    .effect = Effect::kWritesOnce,
    .not_found = Reason::kOwnershipNotFound,
    .resource = "ownership_id",
    .target = OwnershipPath,
    .parse = ParseDeleted,
    .outdates = OutdatesList,
};

}  // namespace pcap_gateway
