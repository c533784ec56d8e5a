#include "service/endpoints/get_pcap.h"

#include <optional>
#include <utility>
#include <vector>

#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/answer.h"
#include "service/endpoints/list_pcaps.h"
#include "service/endpoints/pcap_part.h"
#include "service/mapping/pcap_from_json.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

using pcap::v1::GetPcapResponse;

Outcome Parse(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (std::optional<Outcome> none = opened.NoObject()) return *std::move(none);
  if (!IsAbout(*opened.result(), query.resource)) {
    return opened.Invalid("with a capture that is not the one asked for");
  }

  ResponseArena arena;
  auto& response = *GetPcapResponse::default_instance().New(arena.arena());
  const Secrets secrets = SecretsOf(options);
  PcapFromJson(*opened.result(), secrets, *response.mutable_pcap());
  AppendInfos(opened.envelope().messages, secrets, *response.mutable_messages());
  Outcome outcome = opened.Answered(response);
  if (outcome.ok()) {
    outcome.stage = StageOf(response.pcap());
    outcome.run = RunOf(response.pcap());
  }
  return outcome;
}

std::vector<Part> Parts(const Outcome& answer) {
  std::vector<Part> parts;
  ResponseArena arena;
  auto& response = *GetPcapResponse::default_instance().New(arena.arena());
  if (response.ParseFromString(answer.message)) {
    parts.push_back(PartOf(response.pcap(), answer));
  }
  return parts;
}

}  // namespace

const Endpoint kGetPcap = {
    .name = "GetPcap",
    .number = 1,
    .method = "GET",
    .effect = Effect::kReads,
    .not_found = Reason::kPcapNotFound,
    .target = PcapPath,
    .parse = Parse,
    .parts = Parts,
    .list = &kListPcaps,
};

}  // namespace pcap_gateway
