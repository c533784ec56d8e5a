// Source: the seam of the gateway. Ask it, and be called back once with a reply.
//
// The REST client at the end of the way is a Source; the cache is a Source around a Source; so is
// every later layer.
//
//   if (std::optional<Reply> reply = source.AtHand(query)) return Send(*reply);
//   Ticket ticket = source.Ask(std::move(query), [](Reply reply) { Send(reply); });
//
// Thread-safe. It knows neither gRPC nor libcurl nor JSON nor protobuf.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_SOURCE_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_SOURCE_H_

#include <optional>

#include "absl/functional/any_invocable.h"
#include "service/base/ticket.h"
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

class Source {
 public:
  using Done = absl::AnyInvocable<void(Reply) &&>;

  virtual ~Source() = default;

  // A kept reply that `query` accepts, if there is one. Never blocks; a layer may start a refresh
  // on the side.
  virtual std::optional<Reply> AtHand(const Query& query) = 0;

  // Asks. `done` runs exactly once, whatever happens: on any thread, perhaps before Ask returns; it
  // must not block. The source outlives its open questions only if its owner sees to it: cancel or
  // await them before destroying it.
  virtual Ticket Ask(Query query, Done done) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_SOURCE_H_
