// WatchFeed: captures, as they are and as they change.
#ifndef PCAP_GATEWAY_SERVICE_RPC_WATCH_FEED_H_
#define PCAP_GATEWAY_SERVICE_RPC_WATCH_FEED_H_

#include <memory>

#include "service/rpc/method.h"

namespace pcap_gateway {

// Of Method::feed, for WatchPcaps. Writes each capture of Query::resources, or of the account, that
// is new or has changed; to a slow reader in its latest state. Holds what it has yet to write in
// common with all others.
std::unique_ptr<Feed> MakeWatchFeed(const FeedParts& parts);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_WATCH_FEED_H_
