#include "service/endpoints/create_pcap.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/answer.h"
#include "service/endpoints/list_pcaps.h"
#include "service/mapping/pcap_from_json.h"
#include "service/mapping/pcap_to_json.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

using pcap::v1::CreatePcapResponse;

Outcome Parse(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (std::optional<Outcome> none = opened.NoObject()) return *std::move(none);
  ResponseArena arena;
  auto& response = *CreatePcapResponse::default_instance().New(arena.arena());
  const Secrets secrets = SecretsOf(options);
  PcapFromJson(*opened.result(), secrets, *response.mutable_pcap());
  AppendInfos(opened.envelope().messages, secrets, *response.mutable_messages());
  return opened.Answered(response);
}

std::vector<Subject> Outdates(const Query& query) {
  return {{query.account, Id(), kListPcaps.number}};
}

}  // namespace

std::shared_ptr<const std::string> BodyOf(const pcap::v1::CreatePcapRequest& request) {
  switch (request.form_case()) {
    case pcap::v1::CreatePcapRequest::kSimple:
      return std::make_shared<const std::string>(JsonOf(request.simple()));
    case pcap::v1::CreatePcapRequest::kFull:
      return std::make_shared<const std::string>(JsonOf(request.full()));
    case pcap::v1::CreatePcapRequest::FORM_NOT_SET:
      break;
  }
  return nullptr;
}

const Endpoint kCreatePcap = {
    .name = "CreatePcap",
    .number = 3,
    .method = "POST",
    .effect = Effect::kWritesOnce,
    .not_found = Reason::kAccountNotFound,
    .target = PcapsPath,
    .parse = Parse,
    .outdates = Outdates,
};

}  // namespace pcap_gateway
