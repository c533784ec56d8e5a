#include "service/operations/admin_listener.h"

#include <CivetServer.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {
namespace {

struct Page {
  int status = 200;
  const char* phrase = "OK";
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

// Answers GET and HEAD with what `make` returns, anything else with 405.
class PageHandler final : public CivetHandler {
 public:
  explicit PageHandler(std::function<Page()> make) : make_(std::move(make)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    return Send(connection, make_(), /*with_body=*/true);
  }
  bool handleHead(CivetServer*, mg_connection* connection) override {
    return Send(connection, make_(), /*with_body=*/false);
  }
  bool handlePost(CivetServer*, mg_connection* connection) override { return Refuse(connection); }
  bool handlePut(CivetServer*, mg_connection* connection) override { return Refuse(connection); }
  bool handleDelete(CivetServer*, mg_connection* connection) override { return Refuse(connection); }
  bool handleOptions(CivetServer*, mg_connection* connection) override {
    return Refuse(connection);
  }
  bool handlePatch(CivetServer*, mg_connection* connection) override { return Refuse(connection); }

 private:
  static bool Refuse(mg_connection* connection) {
    return Send(connection, {405, "Method Not Allowed", "text/plain; charset=utf-8", "GET only\n"},
                /*with_body=*/true);
  }

  static bool Send(mg_connection* connection, const Page& page, bool with_body) {
    const std::string head =
        absl::StrCat("HTTP/1.1 ", page.status, " ", page.phrase, "\r\nContent-Type: ", page.type,
                     "\r\nContent-Length: ", page.body.size(),
                     "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n");
    mg_write(connection, head.data(), head.size());
    if (with_body) mg_write(connection, page.body.data(), page.body.size());
    return true;
  }

  const std::function<Page()> make_;
};

}  // namespace

struct AdminListener::Server {
  Server(const std::string& address, const AdminPages& pages)
      : metrics([metrics = pages.metrics] {
          return Page{.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics()};
        }),
        healthz([] { return Page{.body = "ok\n"}; }),
        readyz([ready = pages.ready] {
          if (ready()) return Page{.body = "ready\n"};
          return Page{.status = 503, .phrase = "Service Unavailable", .body = "draining\n"};
        }),
        http(std::vector<std::string>{"listening_ports", address, "num_threads", "2",
                                      "enable_directory_listing", "no", "request_timeout_ms",
                                      "10000"}) {
    http.addHandler("/metrics$", metrics);
    http.addHandler("/healthz$", healthz);
    http.addHandler("/readyz$", readyz);
  }

  PageHandler metrics;
  PageHandler healthz;
  PageHandler readyz;
  CivetServer http;  // last: it stops before its handlers go
};

absl::StatusOr<std::unique_ptr<AdminListener>> AdminListener::Start(const std::string& address,
                                                                    const AdminPages& pages) {
  try {
    auto server = std::make_unique<Server>(address, pages);
    const std::vector<int> ports = server->http.getListeningPorts();
    if (ports.empty()) return absl::UnavailableError(absl::StrCat("cannot listen on ", address));
    const absl::string_view host = absl::string_view(address).substr(0, address.rfind(':'));
    return std::unique_ptr<AdminListener>(
        new AdminListener(std::move(server), absl::StrCat(host, ":", ports[0])));
  } catch (const CivetException&) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address, ": the port is taken, or the address is not this machine's"));
  }
}

AdminListener::AdminListener(std::unique_ptr<Server> server, std::string address)
    : server_(std::move(server)), address_(std::move(address)) {}

AdminListener::~AdminListener() = default;

}  // namespace pcap_gateway
