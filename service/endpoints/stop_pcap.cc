#include "service/endpoints/stop_pcap.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/answer.h"
#include "service/endpoints/get_pcap.h"
#include "service/endpoints/list_pcaps.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

using pcap::v1::StopPcapResponse;

std::string Target(const Query& query) { return absl::StrCat(PcapPath(query), "/stop"); }

// Cloudflare promises no body: whatever comes with a 2xx will do, unless it says that it failed.
Outcome Parse(const Query& query, const HttpAnswer& answer, const ParseOptions& options) {
  const OpenedAnswer opened(query, answer, options);
  if (std::optional<Outcome> none = opened.NoSuccess()) return *std::move(none);
  StopPcapResponse response;
  const Secrets secrets = SecretsOf(options);
  AppendInfos(opened.envelope().messages, secrets, *response.mutable_messages());
  return opened.Answered(response);
}

std::vector<Subject> Outdates(const Query& query) {
  return {{query.account, query.resource, kGetPcap.number},
          {query.account, Id(), kListPcaps.number}};
}

}  // namespace

const Endpoint kStopPcap = {
    .name = "StopPcap",
    .number = 4,
    .method = "PUT",
    .effect = Effect::kWritesAgain,
    .not_found = Reason::kPcapNotFound,
    .target = Target,
    .parse = Parse,
    .outdates = Outdates,
};

}  // namespace pcap_gateway
