// DownloadFeed: the packets of a capture, as they come from Cloudflare.
#ifndef PCAP_GATEWAY_SERVICE_RPC_DOWNLOAD_FEED_H_
#define PCAP_GATEWAY_SERVICE_RPC_DOWNLOAD_FEED_H_

#include <memory>

#include "service/rpc/method.h"

namespace pcap_gateway {

// Of Method::feed, for kDownloadPcap. Holds at most a message that is being written, two that wait,
// and what came beside them; then the transfer from Cloudflare pauses. Where Cloudflare has
// no file, the capture itself tells why.
std::unique_ptr<Feed> MakeDownloadFeed(const FeedParts& parts);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_DOWNLOAD_FEED_H_
