// FakeHttpClient: keeps requests until the test ends them.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_FAKE_HTTP_CLIENT_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_FAKE_HTTP_CLIENT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/upstream/http_client.h"
#include "tests/support/null_sink.h"
#include "tests/support/queries.h"

namespace pcap_gateway {

class FakeHttpClient final : public HttpClient {
 public:
  Ticket Send(HttpRequest request, Done done) override {
    const size_t number = requests.size();
    requests.push_back(std::move(request));
    if (at_once.has_value()) {
      std::move(done)(*at_once);
      pending_.emplace_back();
      return {};
    }
    pending_.push_back(std::move(done));
    return Ticket([this, number] {
      End(number, TransportFailure{TransportFailure::Kind::kCancelled, "cancelled"});
    });
  }

  // No effect on one that has ended.
  void End(size_t number, HttpResult result) {
    if (Done done = std::exchange(pending_.at(number), nullptr)) std::move(done)(std::move(result));
  }
  // The latest.
  void End(HttpResult result) { End(requests.size() - 1, std::move(result)); }

  // The latest's sink is about to begin.
  void BeginContent(const HttpAnswer& head = {.status = 200}) {
    for (const auto& tell : requests.back().on_content) tell(head);
  }

  std::vector<HttpRequest> requests;
  // Set: how every request ends, before Send returns.
  std::optional<HttpResult> at_once;

 private:
  std::vector<Done> pending_;
};

inline HttpRequest RequestFor(int resource) {
  static const auto credential = TestCredential();
  static const auto caller = std::make_shared<const std::string>("ipv4:10.1.2.3");
  return {.url = "http://api.test/" + std::to_string(resource),
          .credential = credential,
          .caller = caller,
          .idempotent = true};
}

// A request whose body is for a reader who takes as long as it likes.
inline HttpRequest DownloadOf(int resource) {
  HttpRequest request = RequestFor(resource);
  request.sink = std::make_shared<NullSink>();
  return request;
}

inline HttpResult Answered(int status, std::string retry_after = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.retry_after = std::move(retry_after);
  return answer;
}

// The end of a download.
inline HttpResult Sunk() { return HttpAnswer{.status = 200, .sunk_bytes = 1}; }

inline HttpResult FailedWith(TransportFailure::Kind kind) {
  return TransportFailure{kind, "as the test wants it"};
}

// "503", "kBroken"'s number with a minus, or "withheld": how a request ended, for comparing.
inline std::string EndOf(const HttpResult& result) {
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) return std::to_string(answer->status);
  if (const auto* failure = std::get_if<TransportFailure>(&result)) {
    return std::to_string(-static_cast<int>(failure->kind) - 1);
  }
  return "withheld";
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_FAKE_HTTP_CLIENT_H_
