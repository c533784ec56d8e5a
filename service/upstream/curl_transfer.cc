#include "service/upstream/curl_transfer.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/source/endpoint.h"
#include "service/upstream/curl_pool.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;

// Of the headers of one answer, interim answers' included. Cloudflare's own have some 2 KiB;
// libcurl would take 300.
constexpr size_t kMostHeaderBytes = 64 << 10;

// libcurl sends a request again by itself where a kept connection turns out to be dead, or where
// the server left it behind with GOAWAY: up to five times (8.0 and later). Once is what a dead
// connection needs.
constexpr int kMostRepeated = 1;

// What is read of a socket at once: libcurl's own, and for a body that may be large, for which it
// matters how many turns it takes.
constexpr long kReadBytes = 16 << 10;
constexpr long kLargeReadBytes = 128 << 10;

// Of one name, that are told when none of them answers.
constexpr size_t kMostAddresses = 4;

// A URL in two: `https://host:port` and the request target `/path`.
struct SplitUrl {
  explicit SplitUrl(const std::string& url) {
    const size_t authority = url.find("://");
    const size_t path =
        authority == std::string::npos ? std::string::npos : url.find('/', authority + 3);
    origin = url.substr(0, path);
    target = path == std::string::npos ? "/" : url.substr(path);
  }

  std::string origin;
  std::string target;
};

// The answer's place for a header that is of use to us; nullptr for the others.
std::string* PlaceFor(absl::string_view name, HttpAnswer& answer) {
  switch (name.size()) {
    case 6:
      return absl::EqualsIgnoreCase(name, "cf-ray") ? &answer.cf_ray : nullptr;
    case 9:
      return absl::EqualsIgnoreCase(name, "ratelimit") ? &answer.ratelimit : nullptr;
    case 11:
      return absl::EqualsIgnoreCase(name, "retry-after") ? &answer.retry_after : nullptr;
    case 12:
      if (absl::EqualsIgnoreCase(name, "cf-mitigated")) return &answer.cf_mitigated;
      return absl::EqualsIgnoreCase(name, "content-type") ? &answer.content_type : nullptr;
    case 16:
      if (absl::EqualsIgnoreCase(name, "content-encoding")) return &answer.content_encoding;
      return absl::EqualsIgnoreCase(name, "ratelimit-policy") ? &answer.ratelimit_policy : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

Kind KindOf(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Kind::kResolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    // A handshake that a reset ended looks the same as one without a common version or cipher.
    case CURLE_SSL_CONNECT_ERROR:
      return Kind::kConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return Kind::kTimeout;
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return Kind::kTls;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return Kind::kMalformed;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return Kind::kOwnLimits;
    default:
      return Kind::kBroken;
  }
}

CurlTransfer::~CurlTransfer() {
  curl_slist_free_all(headers_);
  curl_url_cleanup(parsed_origin_);
  if (easy != nullptr) curl_easy_cleanup(easy);
}

bool CurlTransfer::Init(CurlSockets& through, const HostPort& proxy) {
  sockets = &through;
  proxy_ = &proxy;
  easy = curl_easy_init();
  parsed_origin_ = curl_url();
  if (easy == nullptr || parsed_origin_ == nullptr) return false;
  return EasySetup(easy)
                 .Set(CURLOPT_PRIVATE, this)
                 .Set(CURLOPT_WRITEFUNCTION, &OnBody)
                 .Set(CURLOPT_WRITEDATA, this)
                 .Set(CURLOPT_HEADERFUNCTION, &OnHeader)
                 .Set(CURLOPT_HEADERDATA, this)
                 .Set(CURLOPT_PREREQFUNCTION, &BeforeSending)
                 .Set(CURLOPT_PREREQDATA, this)
                 .Set(CURLOPT_ERRORBUFFER, error_.data())
                 .code() == CURLE_OK &&
         sockets->Attach(*this) == CURLE_OK;
}

CURLcode CurlTransfer::Prepare(const HttpRequest& request, const std::string& user_agent) {
  curl_slist_free_all(std::exchange(headers_, nullptr));
  headers_ = curl_slist_append(nullptr, absl::StrCat("Accept: ", request.accept).c_str());
  // Without it an answer in any coding is in order (RFC 9110, 12.5.3). libcurl's own option for it
  // would decode what comes all the same, bombs too.
  headers_ = curl_slist_append(headers_, "Accept-Encoding: identity");
  headers_ = curl_slist_append(headers_, user_agent.c_str());
  if (request.credential != nullptr) {
    for (const std::string& line : request.credential->header_lines()) {
      headers_ = curl_slist_append(headers_, line.c_str());
    }
  }
  if (request.body != nullptr) {
    // Without one libcurl says that a form comes.
    headers_ = curl_slist_append(
        headers_, request.body->empty() ? "Content-Type:" : "Content-Type: application/json");
  }
  for (const std::string& line : request.header_lines) {
    headers_ = curl_slist_append(headers_, line.c_str());
  }
  requests_sent_ = request.requests_sent;
  sendings_ = 0;
  most_sendings_ = request.idempotent ? 1 + kMostRepeated : 1;
  error_[0] = '\0';
  addresses_.clear();
  answer_ = HttpAnswer();
  most_body_bytes_ = request.most_body_bytes;
  sink_ = request.sink;
  is_content_ = request.is_content;
  on_content_ = request.on_content;
  most_sunk_bytes_ = request.most_sunk_bytes;
  sinking_ = false;
  paused_ = false;
  too_large_ = false;
  headers_ended_ = false;
  header_bytes_ = 0;
  received_ = 0;
  checked_received_ = 0;
  timeout_ = std::max(absl::Floor(request.timeout, absl::Milliseconds(1)), absl::Milliseconds(1));
  if (const CURLcode code = SetUrl(request.url); code != CURLE_OK) return code;
  EasySetup setup(easy);
  body_ = request.body;
  if (body_ != nullptr) {
    setup.Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_->size()))
        .Set(CURLOPT_POSTFIELDS, body_->data());
  } else if (has_body_) {
    setup.Set(CURLOPT_POSTFIELDS, nullptr).Set(CURLOPT_HTTPGET, 1L);
  }
  has_body_ = body_ != nullptr;
  const bool alone = sink_ != nullptr;
  const bool fresh = alone || request.fresh_connection;
  if (fresh_connection_ != fresh) {
    setup.Set(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    fresh_connection_ = fresh;
  }
  if (alone_ != alone) {
    setup.Set(CURLOPT_FORBID_REUSE, alone ? 1L : 0L);
    setup.Set(CURLOPT_BUFFERSIZE, alone ? kLargeReadBytes : kReadBytes);
    alone_ = alone;
  }
  return setup.Set(CURLOPT_HTTPHEADER, headers_)
      .Set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(timeout_)))
      .Set(CURLOPT_HTTP_VERSION,
           // In libcurl 7.88 a stream that is paused holds up all that share its connection.
           static_cast<long>(tls_ && !alone ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
      .Set(CURLOPT_CUSTOMREQUEST,
           request.method == "GET" ? nullptr : std::string(request.method).c_str())
      .code();
}

// libcurl takes a URL apart and puts it together again for each request. Ours differ in the path
// alone, which it sends as it is when it is told so; what comes before is parsed once. A proxy
// wants to see it all.
CURLcode CurlTransfer::SetUrl(const std::string& url) {
  const SplitUrl split(url);
  if (!proxy_->host.empty()) {
    origin_ = split.origin;
    tls_ = absl::StartsWithIgnoreCase(url, "https:");
    return curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  }
  if (origin_ != split.origin) {
    origin_.clear();
    if (curl_url_set(parsed_origin_, CURLUPART_URL, split.origin.c_str(), 0) != CURLUE_OK) {
      return CURLE_URL_MALFORMAT;
    }
    const CURLcode code = EasySetup(easy)
                              .Set(CURLOPT_URL, split.origin.c_str())
                              .Set(CURLOPT_CURLU, parsed_origin_)
                              .code();
    if (code != CURLE_OK) return code;
    origin_ = split.origin;
    tls_ = absl::StartsWithIgnoreCase(origin_, "https:");
  }
  return curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, split.target.c_str());
}

bool CurlTransfer::Stalled(std::chrono::steady_clock::time_point now,
                           absl::Duration first_byte_timeout, absl::Duration stall_timeout,
                           size_t least_bytes) {
  if (paused_) {
    checked_at_ = now;
    checked_received_ = received_;
    return false;
  }
  if (received_ == 0) {
    curl_off_t until_sent = 0;  // microseconds; 0 while it waits for a connection
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &until_sent);
    const auto sent_at = started_at + std::chrono::microseconds(until_sent);
    return until_sent > 0 && absl::FromChrono(now - sent_at) > first_byte_timeout;
  }
  if (checked_received_ == 0 || received_ - checked_received_ >= least_bytes) {
    checked_at_ = now;
    checked_received_ = received_;
    return false;
  }
  return absl::FromChrono(now - checked_at_) > stall_timeout;
}

HttpResult CurlTransfer::ResultOf(CURLcode code,
                                  std::chrono::steady_clock::time_point last_shortage) {
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer_.status = static_cast<int>(status);
    answer_.sendings = std::max(sendings_, 1);
    // libcurl takes headers that the connection's end cuts short for an answer without a body.
    if (!headers_ended_) return Failure(Kind::kBroken, "the headers ended early");
    return std::move(answer_);
  }
  const std::string words =
      ForCallers(error_[0] == '\0' ? curl_easy_strerror(code) : error_.data(), RouteOf());
  // libcurl calls it "out of memory" where one line of the headers is longer than it takes.
  const bool line_is_too_long = code == CURLE_OUT_OF_MEMORY && sendings_ > 0;
  if (too_large_ || line_is_too_long) {
    return Failure(Kind::kTooLarge, "the answer is too large");
  }
  if (code == CURLE_COULDNT_CONNECT && last_shortage >= started_at) {
    return Failure(Kind::kOwnLimits, "no file descriptor is left");
  }
  if (code == CURLE_COULDNT_RESOLVE_HOST && absl::StrContains(error_.data(), "thread failed")) {
    return Failure(Kind::kOwnLimits, "no thread is left to look up the name");
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    return Failure(Kind::kBroken, "the connection was lost again");
  }
  // One code for two timeouts.
  if (code == CURLE_OPERATION_TIMEDOUT &&
      absl::FromChrono(std::chrono::steady_clock::now() - started_at) < timeout_) {
    return Failure(Kind::kConnect, absl::StrCat("no connection in time: ", words));
  }
  return Failure(KindOf(code), words);
}

TransportFailure CurlTransfer::Failure(Kind kind, std::string detail) const {
  TransportFailure failure{.kind = kind,
                           .detail = std::move(detail),
                           .sendings = sendings_,
                           .sunk_bytes = answer_.sunk_bytes};
  // Nothing has failed.
  if (kind == Kind::kCancelled || kind == Kind::kStopped) return failure;
  const bool silent = error_[0] == '\0';
  failure.for_operators = ForOperators(silent ? failure.detail : error_.data(), RouteOf());
  return failure;
}

Route CurlTransfer::RouteOf() const {
  Route route{HostPortOf(origin_, "80"), *proxy_, addresses_};
  // A connection that was there before.
  char* address = nullptr;
  if (addresses_.empty() && sendings_ > 0 &&
      curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address != nullptr &&
      *address != '\0') {
    route.addresses.emplace_back(address);
  }
  return route;
}

void CurlTransfer::NoteAddress(const sockaddr& address) {
  if (addresses_.size() == kMostAddresses) return;
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* const bytes =
      address.sa_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
          : &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  if (inet_ntop(address.sa_family, bytes, text.data(), text.size()) != nullptr) {
    addresses_.emplace_back(text.data());
  }
}

// Each time that the request is about to leave, with a connection at hand.
int CurlTransfer::BeforeSending(void* user, char*, char*, int, int) {
  CurlTransfer& transfer = *static_cast<CurlTransfer*>(user);
  if (transfer.sendings_ == transfer.most_sendings_) return CURL_PREREQFUNC_ABORT;
  ++transfer.sendings_;
  if (transfer.sendings_ > 1 && transfer.requests_sent_ != nullptr) {
    transfer.requests_sent_->fetch_add(1, std::memory_order_relaxed);
  }
  return CURL_PREREQFUNC_OK;
}

size_t CurlTransfer::OnBody(char* data, size_t size, size_t count, void* user) {
  CurlTransfer& transfer = *static_cast<CurlTransfer*>(user);
  // libcurl keeps the piece, and gives it again.
  if (transfer.paused_) return CURL_WRITEFUNC_PAUSE;
  const absl::string_view piece(data, size * count);
  transfer.received_ += piece.size();
  const bool taken = transfer.sinking_ ? transfer.Sink(piece) : transfer.Collect(piece);
  return taken ? piece.size() : CURL_WRITEFUNC_ERROR;
}

// False: the body is too large.
bool CurlTransfer::Collect(absl::string_view piece) {
  std::string& body = answer_.body;
  too_large_ = body.size() + piece.size() > most_body_bytes_;
  if (too_large_) return false;
  body.append(piece.data(), piece.size());
  // Whether it is for the sink shows in its first bytes.
  if (sink_ == nullptr || body.size() < Endpoint::kFirstBytes) return true;
  return BeginSinking();
}

bool CurlTransfer::BeginSinking() {
  const std::shared_ptr<BodySink> sink = std::exchange(sink_, nullptr);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  const bool is_content =
      status / 100 == 2 && is_content_ != nullptr &&
      is_content_(absl::string_view(answer_.body).substr(0, Endpoint::kFirstBytes));
  if (!is_content) return true;
  curl_off_t bytes = -1;  // not said
  curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &bytes);
  too_large_ = bytes > most_sunk_bytes_;
  if (too_large_) return false;
  // From here on bytes have to keep coming, and take as long as the reader does.
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 0L);
  answer_.status = static_cast<int>(status);
  for (const auto& tell : on_content_) tell(answer_);
  sink_ = sink;
  sinking_ = true;
  sink_->Begin(bytes < 0 ? std::nullopt : std::optional<int64_t>(bytes));
  return Sink(std::exchange(answer_.body, {}));
}

// False: the body is too large.
bool CurlTransfer::Sink(absl::string_view piece) {
  const auto bytes = static_cast<int64_t>(piece.size());
  too_large_ = bytes > most_sunk_bytes_ - answer_.sunk_bytes;
  if (too_large_) return false;
  answer_.sunk_bytes += bytes;
  paused_ = !sink_->Take(piece, resume_later);
  return true;
}

CURLcode CurlTransfer::Resume() {
  if (!std::exchange(paused_, false)) return CURLE_OK;
  checked_at_ = std::chrono::steady_clock::now();
  return curl_easy_pause(easy, CURLPAUSE_CONT);
}

// libcurl gives whole lines, those of interim (1xx) answers too.
size_t CurlTransfer::OnHeader(char* data, size_t size, size_t count, void* user) {
  CurlTransfer& transfer = *static_cast<CurlTransfer*>(user);
  const absl::string_view line(data, size * count);
  transfer.received_ += line.size();
  transfer.header_bytes_ += line.size();
  if (transfer.header_bytes_ > kMostHeaderBytes) {
    transfer.too_large_ = true;
    return CURL_WRITEFUNC_ERROR;
  }
  if (absl::StartsWith(line, "HTTP/")) {
    transfer.answer_ = HttpAnswer();
    transfer.headers_ended_ = false;
    return line.size();
  }
  if (line == "\r\n" || line == "\n") transfer.headers_ended_ = true;
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return line.size();
  if (std::string* place = PlaceFor(line.substr(0, colon), transfer.answer_)) {
    const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
    // A list header may come in several lines (RFC 9110, 5.3).
    if (place->empty()) {
      place->assign(value.data(), value.size());
    } else {
      absl::StrAppend(place, ", ", value);
    }
  }
  return line.size();
}

}  // namespace pcap_gateway
