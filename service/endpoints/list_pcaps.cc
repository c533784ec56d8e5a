#include "service/endpoints/list_pcaps.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/answer.h"
#include "service/endpoints/get_pcap.h"
#include "service/endpoints/pcap_part.h"
#include "service/mapping/extra_fields.h"
#include "service/mapping/pcap_from_json.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

using pcap::v1::ListPcapsResponse;

// The list's, of which `moving` is one: it may change as soon as the one that changes first.
Run WithMoving(const Run& list, const Run& moving, bool is_first) {
  if (is_first) return moving;
  const bool unknown = list.began == absl::InfinitePast() || moving.began == absl::InfinitePast();
  Run run;
  if (!unknown) run.began = std::max(list.began, moving.began);
  if (list.ends == absl::InfinitePast() || moving.ends == absl::InfinitePast()) {
    run.ends = std::max(list.ends, moving.ends);
  } else {
    run.ends = std::min(list.ends, moving.ends);
  }
  return run;
}

// Of a list: it moves while any of its captures does.
struct Motion {
  void Add(Stage stage, const Run& its) {
    if (stage == Stage::kFinal) return;
    run = WithMoving(run, its, !std::exchange(moves, true));
  }
  void Tell(Outcome& outcome) const {
    outcome.stage = moves ? Stage::kMoving : Stage::kQuiet;
    outcome.run = run;
  }

  bool moves = false;
  Run run;
};

Outcome Parse(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (std::optional<Outcome> none = opened.NoList()) return *std::move(none);

  ResponseArena arena;
  auto& response = *ListPcapsResponse::default_instance().New(arena.arena());
  const Secrets secrets = SecretsOf(options);
  Motion motion;
  const auto add = [&](const JsonValue& element) {
    if (element.is_null()) return;
    pcap::v1::Pcap& pcap = *response.add_pcaps();
    if (!element.is_object()) {
      // Nothing is lost: it stands under the name that it has, which is none.
      ExtraFields(pcap, secrets).Keep("", element);
      return;
    }
    PcapFromJson(element, secrets, pcap);
    motion.Add(StageOf(pcap), RunOf(pcap));
  };
  if (opened.result() != nullptr) {
    for (const JsonValue& element : opened.result()->children()) add(element);
  }
  AppendInfos(opened.envelope().messages, secrets, *response.mutable_messages());
  Outcome outcome = opened.Answered(response);
  if (outcome.ok()) motion.Tell(outcome);
  return outcome;
}

std::vector<Part> Parts(const Outcome& answer) {
  std::vector<Part> parts;
  ResponseArena arena;
  auto& response = *ListPcapsResponse::default_instance().New(arena.arena());
  if (!response.ParseFromString(answer.message)) return parts;
  parts.reserve(response.pcaps_size());
  for (const pcap::v1::Pcap& pcap : response.pcaps()) parts.push_back(PartOf(pcap, answer));
  return parts;
}

// A capture is field 1 of both, so the list is its parts one after another, and the rest.
Outcome WithParts(const Outcome& answer, const std::vector<Part>& parts) {
  ListPcapsResponse rest;
  if (!rest.ParseFromString(answer.message)) rest.Clear();  // one with parts can be read
  rest.clear_pcaps();
  Outcome outcome;
  outcome.as_of = answer.as_of;
  outcome.http_status = answer.http_status;
  outcome.cf_ray = answer.cf_ray;
  Motion motion;
  for (const Part& part : parts) {
    outcome.message += part.outcome->message;
    motion.Add(part.outcome->stage, part.outcome->run);
  }
  outcome.message += rest.SerializeAsString();
  motion.Tell(outcome);
  return outcome;
}

}  // namespace

const Endpoint kListPcaps = {
    .name = "ListPcaps",
    .number = 2,
    .method = "GET",
    .effect = Effect::kReads,
    .not_found = Reason::kAccountNotFound,
    .target = PcapsPath,
    .parse = Parse,
    .parts = Parts,
    .one = &kGetPcap,
    .with_parts = WithParts,
};

}  // namespace pcap_gateway
