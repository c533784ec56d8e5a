// StreamStats: what is counted of each method that is not the PcapService's.
#ifndef PCAP_GATEWAY_SERVICE_RPC_STREAM_STATS_H_
#define PCAP_GATEWAY_SERVICE_RPC_STREAM_STATS_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "service/rpc/call_stats.h"

namespace pcap_gateway {

class StreamStats {
 public:
  // `paths`: the methods that there are.
  template <typename Methods>
  explicit StreamStats(const Methods& methods) {
    for (const auto& [path, make] : methods) by_path_[path];
  }

  // Of the method; of all that do not exist together, as callers make up as many as they like.
  RpcStats& Of(absl::string_view path) {
    const auto found = by_path_.find(std::string(path));
    return found == by_path_.end() ? unknown_ : found->second;
  }

  const std::map<std::string, RpcStats>& by_path() const { return by_path_; }
  const RpcStats& unknown() const { return unknown_; }

 private:
  std::map<std::string, RpcStats> by_path_;
  RpcStats unknown_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_STREAM_STATS_H_
