// AdminListener: metrics and health over HTTP, on a port of their own that callers never see.
//
//   GET /           a status page for people; 403 by a name that is not this machine's
//   GET /status.json    the same for programs
//   GET /config     the options, and where each comes from; for whom the status page is
//   GET /metrics    Prometheus' text format
//   GET /healthz    200: the process lives
//   GET /readyz     200: it serves; 503: it drains, or calls are not to come yet; the body says why
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_ADMIN_LISTENER_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_ADMIN_LISTENER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "service/net/listening_sockets.h"
#include "service/net/poll_thread.h"

struct MHD_Daemon;  // libmicrohttpd's

namespace pcap_gateway {

struct AdminPages {
  std::function<std::string()> metrics;  // the text of /metrics
  std::function<std::string()> unready;  // why no calls are to come, one line; empty: they may
  std::function<std::string()> status_html;
  std::function<std::string()> status_json;
  std::string config_json;
  std::string status_css;
};

// Runs one thread, which no slow client holds up. A request has ten seconds to come, and its answer
// ten to be taken, however many bytes drip meanwhile; and when all places are taken, the connection
// that has kept its own longest gives way: a probe always finds one.
// What the pages call must outlive the listener, be thread-safe, and not block.
class AdminListener {
 public:
  // Listening when this returns. `address`: HOST:PORT, an IPv6 host in brackets; port 0 takes a
  // free one; a name means all its addresses (see ListeningSockets). Fails where it cannot be
  // listened on.
  static absl::StatusOr<std::unique_ptr<AdminListener>> Start(const std::string& address,
                                                              AdminPages pages);

  // Ends connections and the thread.
  ~AdminListener();

  // HOST:PORT with the port that was taken.
  const std::string& address() const { return address_; }

 private:
  class Connections;

  AdminListener(AdminPages pages, std::string address, ListeningSockets sockets);
  bool StartDaemons();
  void Run(int stop);

  const ListeningSockets sockets_;
  AdminPages pages_;
  const std::string address_;
  std::unique_ptr<Connections> connections_;  // the thread's
  std::vector<MHD_Daemon*> daemons_;          // one a socket, and all on the one thread
  PollThread thread_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_ADMIN_LISTENER_H_
