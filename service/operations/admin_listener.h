// AdminListener: metrics and health over HTTP, on a port of their own that callers never see.
//
//   GET /metrics    Prometheus' text format
//   GET /healthz    200: the process lives
//   GET /readyz     200: it serves; 503: it drains, or has not begun
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_ADMIN_LISTENER_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_ADMIN_LISTENER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace pcap_gateway {

struct AdminPages {
  std::function<std::string()> metrics;  // the text of /metrics
  std::function<bool()> ready;
};

// Runs two threads. What the pages call must outlive the listener and be thread-safe.
class AdminListener {
 public:
  // Listening when this returns. `address`: HOST:PORT, an IPv6 host in brackets; port 0 takes a
  // free one. Fails where it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<AdminListener>> Start(const std::string& address,
                                                              const AdminPages& pages);
  ~AdminListener();

  // HOST:PORT with the port that was taken.
  const std::string& address() const { return address_; }

 private:
  struct Server;
  AdminListener(std::unique_ptr<Server> server, std::string address);

  std::unique_ptr<Server> server_;
  const std::string address_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_ADMIN_LISTENER_H_
