// UnaryCall: a Call that has one answer, from the source.
#ifndef PCAP_GATEWAY_SERVICE_RPC_UNARY_CALL_H_
#define PCAP_GATEWAY_SERVICE_RPC_UNARY_CALL_H_

#include "service/rpc/call.h"

namespace pcap_gateway {

class UnaryCall final : public Call {
 public:
  using Call::Call;

 private:
  void Answer() override;
  void Leave() override;
  void SendEnd(const Reply& reply) override;

  bool TakePlace();
  void Ask();
  void Receive();

  Ticket ticket_;
  Reply reply_;  // the source's; another thread writes it, and posts Receive
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_UNARY_CALL_H_
