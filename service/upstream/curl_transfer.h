// CurlTransfer: a request on its way through libcurl, and the easy handle that carries it.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_TRANSFER_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_TRANSFER_H_

#include <curl/curl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/upstream/http_client.h"
#include "service/upstream/route.h"

namespace pcap_gateway {

class CurlPool;
class CurlSockets;

// Applies options to an easy handle and remembers the first failure, so that there is one place to
// check.
class EasySetup {
 public:
  explicit EasySetup(CURL* easy) : easy_(easy) {}

  template <typename T>
  EasySetup& Set(CURLoption option, T value) {
    if (code_ == CURLE_OK) code_ = curl_easy_setopt(easy_, option, value);
    return *this;
  }

  CURLcode code() const { return code_; }

 private:
  CURL* easy_;
  CURLcode code_ = CURLE_OK;
};

// Handles are set up once and used again, which saves most of libcurl's work at the start of a
// request. The loop's thread only.
struct CurlTransfer {
  CurlTransfer() = default;
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;
  ~CurlTransfer();

  // Makes the handle, with libcurl's callbacks set to this; false: libcurl has none to give.
  // `sockets` opens and closes its sockets; `proxy`: that it goes through, if it has a host. Both
  // outlive it.
  bool Init(CurlSockets& sockets, const HostPort& proxy);

  // Sets what differs from request to request. `user_agent`: a header line.
  CURLcode Prepare(const HttpRequest& request, const std::string& user_agent);

  // Whether the other side keeps us waiting longer than it may: for the first byte of its answer,
  // or between bytes of it. Asked now and then while the transfer is under way.
  bool Stalled(std::chrono::steady_clock::time_point now, absl::Duration first_byte_timeout,
               absl::Duration stall_timeout, size_t least_bytes);

  // What libcurl's `code` at the end of the transfer means. `last_shortage`: when the process last
  // had no descriptor or memory for a socket.
  HttpResult ResultOf(CURLcode code, std::chrono::steady_clock::time_point last_shortage);

  // Why there is no answer: `detail`, which is public, and for operators what libcurl says.
  TransportFailure Failure(TransportFailure::Kind kind, std::string detail) const;

  // An address that libcurl is about to connect to.
  void NoteAddress(const sockaddr& address);

  // The sink has asked for more; goes on where the transfer was paused. Not CURLE_OK: it ends so,
  // and libcurl does not tell of it.
  CURLcode Resume();

  // The transfer is over: the sink is left alone.
  void DropSink() {
    sink_ = nullptr;
    resume_later = nullptr;
  }

  // How often the request went out, as far as is known.
  int sendings() const { return sendings_; }

  CURL* easy = nullptr;
  CurlSockets* sockets = nullptr;
  CurlPool* pool = nullptr;  // that it is in while it is under way
  HttpClient::Done done;
  // Has Resume called on the loop's thread, if this use of the transfer has not ended by then; any
  // thread. Set where there is a sink.
  std::function<void()> resume_later;
  uint64_t number = 0;  // of this use; a ticket of an earlier one no longer fits
  std::chrono::steady_clock::time_point started_at;

 private:
  CURLcode SetUrl(const std::string& url);
  Route RouteOf() const;

  bool Collect(absl::string_view piece);
  bool Sink(absl::string_view piece);
  bool BeginSinking();

  static size_t OnBody(char* data, size_t size, size_t count, void* user);
  static size_t OnHeader(char* data, size_t size, size_t count, void* user);
  static int BeforeSending(void* user, char*, char*, int, int);

  curl_slist* headers_ = nullptr;
  const HostPort* proxy_ = nullptr;
  CURLU* parsed_origin_ = nullptr;
  std::string origin_;                  // that is parsed there
  std::vector<std::string> addresses_;  // of this use, the first ones
  bool tls_ = false;
  bool fresh_connection_ = false;
  std::shared_ptr<const std::string> body_;  // libcurl reads it while it sends
  bool has_body_ = false;                    // as the handle is set up
  bool alone_ = false;                       // its connection ends with it
  absl::Duration timeout_;
  std::shared_ptr<std::atomic<int>> requests_sent_;
  int sendings_ = 0;
  int most_sendings_ = 1;
  std::array<char, CURL_ERROR_SIZE> error_{};  // libcurl's own words
  HttpAnswer answer_;
  size_t most_body_bytes_ = 0;
  std::shared_ptr<BodySink> sink_;  // null: there is none, or the body is not for it
  bool (*is_content_)(absl::string_view) = nullptr;
  std::vector<std::function<void(const HttpAnswer&)>> on_content_;
  int64_t most_sunk_bytes_ = 0;
  bool sinking_ = false;  // the sink takes the body
  bool paused_ = false;   // it has asked for a pause
  bool too_large_ = false;
  bool headers_ended_ = false;
  size_t header_bytes_ = 0;
  size_t received_ = 0;  // bytes of headers and body
  // When `least_bytes` had last come in time, and how many there were then.
  std::chrono::steady_clock::time_point checked_at_;
  size_t checked_received_ = 0;
};

// The failure that `code` stands for.
TransportFailure::Kind KindOf(CURLcode code);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_TRANSFER_H_
