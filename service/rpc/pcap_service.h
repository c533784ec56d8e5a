// PcapService: the RPCs. A request becomes a Query; an answer at hand is sent at once, any other
// call waits.
#ifndef PCAP_GATEWAY_SERVICE_RPC_PCAP_SERVICE_H_
#define PCAP_GATEWAY_SERVICE_RPC_PCAP_SERVICE_H_

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "pcap/v1/pcap_service.grpc.pb.h"
#include "service/rpc/call_stats.h"
#include "service/source/source.h"

namespace pcap_gateway {

struct PcapServiceOptions {
  // Null: each caller brings its own.
  std::shared_ptr<const Credential> service_credential;
  std::optional<Id> default_account_id;
};

// Thread-safe. Methods are raw: the answer is bytes that were serialised once, when Cloudflare gave
// it.
class PcapService final
    : public pcap::v1::PcapService::WithRawCallbackMethod_GetPcap<pcap::v1::PcapService::Service> {
 public:
  // `source` outlives the service.
  PcapService(Source& source, PcapServiceOptions options);

  grpc::ServerUnaryReactor* GetPcap(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;

  const CallStats& stats() const { return stats_; }

 private:
  // One RPC: `read` fills the query's ids and max_age from the request, or says what is wrong with
  // them.
  template <typename Request, typename Read>
  grpc::ServerUnaryReactor* Serve(const Endpoint& endpoint, const grpc::ByteBuffer& bytes,
                                  Read read, grpc::CallbackServerContext& context,
                                  grpc::ByteBuffer& response);
  std::optional<Error> ReadHeaders(const grpc::CallbackServerContext& context, Query& query) const;
  grpc::ServerUnaryReactor* Fail(Error error, std::string request_id,
                                 grpc::CallbackServerContext& context);

  Source& source_;
  const PcapServiceOptions options_;
  CallStats stats_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_PCAP_SERVICE_H_
