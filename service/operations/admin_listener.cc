#include "service/operations/admin_listener.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdint>
#include <iterator>
#include <list>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace pcap_gateway {
namespace {

// An operator's tools hold a handful of connections; more than this is a mistake or an attack. A
// few more may be there until those that have to go are gone.
constexpr unsigned kMostConnections = 64;
constexpr unsigned kMoreConnections = 32;
// From a connection's beginning, or its last answer, to the end of a request; and from there to the
// end of the answer. libmicrohttpd's own limit begins again with each byte.
constexpr std::chrono::seconds kLongest{10};
// The thread looks so often for what has taken too long.
constexpr int kLookMilliseconds = 500;
// A connection's request line, headers and parser; what is larger is refused.
constexpr size_t kConnectionBytes = 16 << 10;

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kHtml[] = "text/html; charset=utf-8";
constexpr char kJson[] = "application/json";
constexpr char kCss[] = "text/css; charset=utf-8";
// No script at all, and nothing from elsewhere.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

struct Page {
  unsigned status = MHD_HTTP_OK;
  std::string body;
  const char* type = kPlainText;
};

// HTTP's Host without its port; an IPv6 address without its brackets.
std::string HostOf(absl::string_view header) {
  if (absl::ConsumePrefix(&header, "[")) return std::string(header.substr(0, header.find(']')));
  return std::string(header.substr(0, header.rfind(':')));
}

// Whether a browser that was led here by somebody else's name for this machine (DNS rebinding) may
// be excluded: the name says this machine, or an address.
bool IsOwnName(absl::string_view header) {
  const std::string host = HostOf(header);
  in6_addr address;
  return header.empty() || absl::EqualsIgnoreCase(host, "localhost") ||
         inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// `own_name`: see IsOwnName.
Page PageAt(absl::string_view path, bool own_name, const AdminPages& pages) {
  if (path == "/" || path == "/status.json" || path == "/config") {
    if (!own_name) {
      return {.status = MHD_HTTP_FORBIDDEN, .body = "ask by address, or as localhost\n"};
    }
    if (path == "/") return {.body = pages.status_html(), .type = kHtml};
    if (path == "/config") return {.body = pages.config_json, .type = kJson};
    return {.body = pages.status_json(), .type = kJson};
  }
  if (path == "/status.css") return {.body = pages.status_css, .type = kCss};
  if (path == "/metrics") return {.body = pages.metrics(), .type = kPrometheusText};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    const std::string unready = pages.unready();
    if (unready.empty()) return {.body = "ready\n"};
    return {.status = MHD_HTTP_SERVICE_UNAVAILABLE, .body = unready + "\n"};
  }
  return {.status = MHD_HTTP_NOT_FOUND,
          .body = "there are /, /status.json, /config, /metrics, /healthz and /readyz\n"};
}

MHD_Result Send(const Page& page, MHD_Connection* connection) {
  MHD_Response* const response = MHD_create_response_from_buffer(
      page.body.size(), const_cast<char*>(page.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page.type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(response, "X-Frame-Options", "DENY");
  MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
  MHD_add_response_header(response, "Content-Security-Policy", kContentSecurityPolicy);
  if (page.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const MHD_Result result = MHD_queue_response(connection, page.status, response);
  MHD_destroy_response(response);
  return result;
}

}  // namespace

// The open connections, in the order in which they last got somewhere. libmicrohttpd's thread.
class AdminListener::Connections {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Connections(const AdminPages& pages) : pages_(pages) {}

  // libmicrohttpd's NOTIFY_CONNECTION: `entry` is the connection's own pointer.
  static void Notify(void* connections, MHD_Connection* connection, void** entry,
                     MHD_ConnectionNotificationCode code) {
    auto& its = *static_cast<Connections*>(connections);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      *entry = its.Add(
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    } else {
      its.Remove(static_cast<Entry*>(*entry));
    }
  }

  // And its NOTIFY_COMPLETED: an answer is sent.
  static void Completed(void* connections, MHD_Connection* connection, void**,
                        MHD_RequestTerminationCode) {
    static_cast<Connections*>(connections)->GotSomewhere(connection);
  }

  // Its request has come, or its answer is sent.
  void GotSomewhere(MHD_Connection* connection) {
    auto* const entry = static_cast<Entry*>(
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
    if (entry->ending) return;
    entry->since = Clock::now();
    open_.splice(open_.end(), open_, entry->self);
  }

  // And its handler: called once when the headers are there, again for each part of a body, and a
  // last time without any. It leaves the body out of the answer to HEAD.
  static MHD_Result Handle(void* connections, MHD_Connection* connection, const char* path,
                           const char* method, const char*, const char*, size_t* body_size,
                           void** seen) {
    auto& its = *static_cast<Connections*>(connections);
    if (absl::string_view(method) != "GET" && absl::string_view(method) != "HEAD") {
      return Send({.status = MHD_HTTP_METHOD_NOT_ALLOWED, .body = "GET only\n"}, connection);
    }
    if (*seen == nullptr || *body_size > 0) {
      *seen = connections;
      *body_size = 0;
      return MHD_YES;
    }
    its.GotSomewhere(connection);
    const char* const host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return Send(PageAt(path, IsOwnName(host == nullptr ? "" : host), its.pages_), connection);
  }

  void EndLate() {
    const Clock::time_point now = Clock::now();
    while (!open_.empty() && now - open_.front().since >= kLongest) EndOldest();
  }

 private:
  struct Entry {
    int socket;
    Clock::time_point since;
    bool ending = false;  // it is shut down
    std::list<Entry>::iterator self;
  };

  Entry* Add(int socket) {
    if (open_.size() >= kMostConnections) EndOldest();
    open_.push_back({.socket = socket, .since = Clock::now()});
    open_.back().self = std::prev(open_.end());
    return &open_.back();
  }

  // libmicrohttpd sees it, closes it and tells of it.
  void EndOldest() {
    shutdown(open_.front().socket, SHUT_RDWR);
    open_.front().ending = true;
    ending_.splice(ending_.end(), open_, open_.begin());
  }

  void Remove(Entry* entry) { (entry->ending ? ending_ : open_).erase(entry->self); }

  const AdminPages& pages_;
  std::list<Entry> open_;
  std::list<Entry> ending_;
};

namespace {

// What libmicrohttpd would write to stderr: clients' mistakes, and what Start returns itself.
void Discard(void*, const char*, va_list) {}

absl::Status CannotListen(absl::string_view address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", why));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminListener>> AdminListener::Start(const std::string& address,
                                                                    AdminPages pages) {
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open(address);
  if (!sockets.ok()) return CannotListen(address, sockets.status().message());
  const std::string host = address.substr(0, address.rfind(':'));
  const std::string taken = absl::StrCat(host, ":", sockets->port());
  std::unique_ptr<AdminListener> admin(
      new AdminListener(std::move(pages), taken, *std::move(sockets)));
  if (!admin->StartDaemons()) return CannotListen(address, "libmicrohttpd could not be started");
  if (!admin->thread_.Start([its = admin.get()](int stop) { its->Run(stop); })) {
    return CannotListen(address, "the thread for it could not be started");
  }
  return admin;
}

bool AdminListener::StartDaemons() {
  Connections* const connections = connections_.get();
  for (const int listener : sockets_.sockets()) {
    MHD_Daemon* const daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, nullptr, nullptr, &Connections::Handle, connections,
        MHD_OPTION_EXTERNAL_LOGGER, &Discard, nullptr, MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_CONNECTION_LIMIT, kMostConnections + kMoreConnections,
        MHD_OPTION_NOTIFY_CONNECTION, &Connections::Notify, connections,
        MHD_OPTION_NOTIFY_COMPLETED, &Connections::Completed, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes, MHD_OPTION_END);
    if (daemon == nullptr) return false;
    daemons_.push_back(daemon);
  }
  return true;
}

void AdminListener::Run(int stop) {
  std::vector<pollfd> waited = {{.fd = stop, .events = POLLIN}};
  for (MHD_Daemon* const daemon : daemons_) {
    const int ready = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    waited.push_back({.fd = ready, .events = POLLIN});
  }
  while ((waited[0].revents & POLLIN) == 0) {
    MHD_UNSIGNED_LONG_LONG soon = kLookMilliseconds;
    for (MHD_Daemon* const daemon : daemons_) {
      // What libmicrohttpd has to do without any event.
      MHD_UNSIGNED_LONG_LONG its = kLookMilliseconds;
      if (MHD_get_timeout(daemon, &its) == MHD_YES) soon = std::min(soon, its);
    }
    poll(waited.data(), waited.size(), static_cast<int>(soon));
    connections_->EndLate();
    for (MHD_Daemon* const daemon : daemons_) MHD_run(daemon);
  }
}

AdminListener::AdminListener(AdminPages pages, std::string address, ListeningSockets sockets)
    : sockets_(std::move(sockets)),
      pages_(std::move(pages)),
      address_(std::move(address)),
      connections_(std::make_unique<Connections>(pages_)) {}

AdminListener::~AdminListener() {
  thread_.Stop();
  for (MHD_Daemon* const daemon : daemons_) {
    // It gives the socket back, which is `sockets_`' to close.
    MHD_quiesce_daemon(daemon);
    MHD_stop_daemon(daemon);
  }
}

}  // namespace pcap_gateway
