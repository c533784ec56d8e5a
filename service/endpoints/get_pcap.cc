#include "service/endpoints/get_pcap.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/answer.h"
#include "service/mapping/pcap_from_json.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

using pcap::v1::GetPcapResponse;

std::string Target(const Query& query) {
  return absl::StrCat("/accounts/", query.account.ToString(), "/pcaps/", query.resource.ToString());
}

Outcome Parse(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (opened.error().has_value()) return opened.Failed();
  if (opened.result() == nullptr) return opened.Invalid("without a result");
  if (!opened.result()->is_object()) {
    return opened.Invalid("with a result that is not an object");
  }
  if (!IsAbout(*opened.result(), query.resource)) {
    return opened.Invalid("with a capture that is not the one asked for");
  }

  ResponseArena arena;
  auto& response = *GetPcapResponse::default_instance().New(arena.arena());
  const Secrets secrets = options.reveal_destination_secrets ? Secrets::kReveal : Secrets::kHide;
  PcapFromJson(*opened.result(), secrets, *response.mutable_pcap());
  AppendInfos(opened.envelope().messages, secrets, *response.mutable_messages());
  Outcome outcome = opened.Answered(response);
  if (outcome.ok()) {
    outcome.stage = StageOf(response.pcap());
    outcome.run = RunOf(response.pcap());
  }
  return outcome;
}

}  // namespace

const Endpoint kGetPcap = {
    .name = "GetPcap",
    .number = 1,
    .method = "GET",
    .effect = Effect::kReads,
    .not_found = Reason::kPcapNotFound,
    .target = Target,
    .parse = Parse,
};

}  // namespace pcap_gateway
