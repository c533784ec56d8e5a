// Connections: connections to one server, and the loop that waits for them.
//
//   Connections connections;
//   connections.Add(std::make_unique<GrpcConnection>(…));
//   connections[0].Call(…);
//   connections.Flush(0);
//   while (…) connections.Turn();
#ifndef PCAP_GATEWAY_TESTS_BENCH_CONNECTIONS_H_
#define PCAP_GATEWAY_TESTS_BENCH_CONNECTIONS_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "tests/bench/grpc_connection.h"

namespace pcap_gateway::bench {

// For one thread. Throws std::runtime_error, as a connection does.
class Connections {
 public:
  Connections();
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  void Add(std::unique_ptr<GrpcConnection> connection);
  size_t size() const { return connections_.size(); }
  GrpcConnection& operator[](size_t index) { return *connections_[index]; }

  // Writes what its socket takes; the rest goes in a later Turn.
  void Flush(size_t index);

  // Waits until something can be read or written, and does so. False: nothing could for so long;
  // below 0: for any time.
  bool Turn(int milliseconds);

 private:
  const int epoll_;
  std::vector<std::unique_ptr<GrpcConnection>> connections_;
  std::vector<bool> waits_for_room_;  // by connection: epoll tells us when its socket takes more
};

}  // namespace pcap_gateway::bench

#endif  // PCAP_GATEWAY_TESTS_BENCH_CONNECTIONS_H_
