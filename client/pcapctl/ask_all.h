// AskAll: asks for many captures at once, and hands the answers on in the order of the questions.
//
//   AskAll(client, requests, options, [&](size_t index, CallResult<GetPcapAnswer> result) {
//     Print(requests[index], result);
//   });
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_ASK_ALL_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_ASK_ALL_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "pcap_client/pcap_client.h"

namespace pcap_client {

// Blocks until all are answered. `receive` runs on this thread, as soon as the answer and all those
// before it have come. At most 32 calls are in flight, so that a thousand ids are no flood. An id
// that is none is INVALID_ARGUMENT without a call.
void AskAll(const PcapClient& client, const std::vector<pcap::v1::GetPcapRequest>& requests,
            const CallOptions& options,
            const std::function<void(size_t index, CallResult<GetPcapAnswer> result)>& receive);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_ASK_ALL_H_
