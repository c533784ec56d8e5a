// ConnectionShares: how many streams each connection has open.
//
// The number that HTTP/2's SETTINGS allow binds a peer only once it has acknowledged them, and gRPC
// 1.51 waits for that as long as the peer likes. So streams that stay open are counted here, too.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CONNECTION_SHARES_H_
#define PCAP_GATEWAY_SERVICE_RPC_CONNECTION_SHARES_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "service/base/mutex.h"

namespace pcap_gateway {

// Any thread. Holds an entry for each connection that has a stream open.
class ConnectionShares {
 public:
  // `most` streams of a connection; 0: any number.
  explicit ConnectionShares(int64_t most) : most_(most) {}

  // False: the connection, named by its peer's address, has its share.
  bool Add(const std::string& connection) {
    const Lock lock(mutex_);
    int64_t& open = open_[connection];
    if (most_ > 0 && open >= most_) return false;
    ++open;
    return true;
  }

  // One that was added.
  void Remove(const std::string& connection) {
    const Lock lock(mutex_);
    const auto found = open_.find(connection);
    if (--found->second == 0) open_.erase(found);
  }

 private:
  const int64_t most_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, int64_t> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CONNECTION_SHARES_H_
