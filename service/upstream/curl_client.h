// CurlClient: HttpClient on libcurl, whose sockets and times hang on the loop.
//
// Connections are kept and shared: HTTP/2 over TLS (one connection, many streams), HTTP/1.1 over
// plain http, because libcurl 7.88 loses reused cleartext HTTP/2 connections.
//
// What it will not do, whatever the environment or the server says: follow redirects, use a proxy
// or .netrc that nobody asked for, speak to a server whose certificate does not verify, leave http
// and https.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_CLIENT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/counter.h"
#include "service/base/histogram.h"
#include "service/loop/event_loop.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

struct CurlOptions {
  // PEM file of the certificates to trust instead of the system's; empty: the system's (and
  // SSL_CERT_FILE).
  std::string ca_file;
  // URL of a proxy; empty: none, whatever the environment says.
  std::string proxy;
  std::string user_agent = "pcap-gateway";
  // For the name's address, the connection and the TLS handshake together.
  absl::Duration connect_timeout = absl::Seconds(5);
  // From a request's last byte to its answer's first.
  absl::Duration first_byte_timeout = absl::Seconds(10);
  // An answer that has begun brings `least_bytes` in each `stall_timeout`, or its end.
  absl::Duration stall_timeout = absl::Seconds(5);
  size_t least_bytes = 1024;
  // Open connections to one host; further requests wait for a free one.
  int most_connections = 256;
  // A connection older than this takes no new requests, so that DNS changes are followed.
  absl::Duration connection_age = absl::Minutes(10);
};

// Written by the loop's thread, read by any.
struct CurlStats {
  static constexpr size_t kClasses = 5;

  Counter started;                                       // requests sent
  Counter resent;                                        // by libcurl itself, on a new connection
  std::array<Counter, kClasses> answered;                // of those, by status: 1xx to 5xx
  std::array<Counter, TransportFailure::kKinds> failed;  // of those that got no answer, by kind
  // From sending to the last byte, of those answered.
  Histogram duration{absl::Milliseconds(1),   absl::Milliseconds(5),    absl::Milliseconds(10),
                     absl::Milliseconds(25),  absl::Milliseconds(50),   absl::Milliseconds(75),
                     absl::Milliseconds(100), absl::Milliseconds(150),  absl::Milliseconds(200),
                     absl::Milliseconds(300), absl::Milliseconds(500),  absl::Milliseconds(750),
                     absl::Seconds(1),        absl::Milliseconds(2500), absl::Seconds(5),
                     absl::Seconds(10),       absl::Seconds(30)};
};

class CurlClient final : public HttpClient {
 public:
  // On `loop`, which outlives it. Fails where the process is out of file descriptors or memory, or
  // `options` cannot be used. Another thread than the loop's.
  static absl::StatusOr<std::unique_ptr<CurlClient>> Start(EventLoop& loop,
                                                           const CurlOptions& options);

  // Stops, if Stop was not called.
  ~CurlClient() override;

  // Ends all requests with kStopped, and lets go of the loop. What is sent after it ends so, too.
  // Another thread than the loop's, once.
  void Stop();

  // Loop's thread only.
  Ticket Send(HttpRequest request, Done done) override;

  const CurlStats& stats() const { return stats_; }

 private:
  class Impl;
  CurlClient(EventLoop& loop, const CurlOptions& options);

  EventLoop& loop_;
  CurlStats stats_;
  std::unique_ptr<Impl> impl_;  // the loop's thread only
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_CLIENT_H_
