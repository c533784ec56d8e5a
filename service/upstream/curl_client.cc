#include "service/upstream/curl_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/burst.h"
#include "service/upstream/curl_pool.h"
#include "service/upstream/curl_transfer.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using SteadyTime = std::chrono::steady_clock::time_point;

// How often transfers are looked after that have no connection yet (CurlPool::LookAfterAll).
constexpr absl::Duration kLook = absl::Milliseconds(200);

}  // namespace

class CurlClient::Impl {
 public:
  Impl(EventLoop& loop, CurlOptions options, CurlStats& stats)
      : loop_(loop),
        options_(std::move(options)),
        stats_(stats),
        // Often enough to be precise by a quarter.
        stall_check_(std::clamp(std::min(options_.first_byte_timeout, options_.stall_timeout) / 4,
                                absl::Milliseconds(5), absl::Milliseconds(500))),
        // libcurl's port of a proxy that names none.
        proxy_(options_.proxy.empty() ? HostPort() : HostPortOf(options_.proxy, "1080")),
        user_agent_(absl::StrCat("User-Agent: ", options_.user_agent)),
        sockets_(loop),
        stall_timer_(loop, [this] { FailStalled(); }),
        look_timer_(loop, [this] { LookAtConnecting(); }) {}

  absl::Status Start();
  void Stop();
  Ticket Send(const HttpRequest& request, Done done);

 private:
  void PoolWorked();
  void CollectFinished();
  void FailStalled();
  void LookAtConnecting();

  CurlPool* PoolFor(SteadyTime now);
  std::unique_ptr<CurlTransfer> TakeTransfer();
  void Count(const CurlTransfer& transfer, const HttpResult& result);
  void Fail(CurlTransfer* transfer, uint64_t number, Kind kind, absl::string_view detail);
  void Resume(CurlTransfer* transfer, uint64_t number);
  void Finish(CurlTransfer* transfer, HttpResult result);

  EventLoop& loop_;
  const CurlOptions options_;
  CurlStats& stats_;
  const absl::Duration stall_check_;
  const HostPort proxy_;          // without a host: none
  const std::string user_agent_;  // as a header line: libcurl prints its own option twice

  CurlSockets sockets_;
  std::vector<std::unique_ptr<CurlPool>> pools_;  // the last one takes new transfers
  LoopTimer stall_timer_;                         // both set while transfers are under way
  LoopTimer look_timer_;
  bool collects_ = false;  // CollectFinished will run in this turn
  bool stopping_ = false;
  uint64_t next_number_ = 1;
  std::unordered_set<CurlTransfer*> active_;  // owned
  std::vector<std::unique_ptr<CurlTransfer>> free_;
};

absl::Status CurlClient::Impl::Start() {
  if (PoolFor(std::chrono::steady_clock::now()) == nullptr) {
    return absl::ResourceExhaustedError("libcurl cannot set up its connections");
  }
  return absl::OkStatus();
}

void CurlClient::Impl::Stop() {
  stopping_ = true;
  while (!active_.empty()) {
    CurlTransfer* const transfer = *active_.begin();
    Fail(transfer, transfer->number, Kind::kStopped, "the gateway is shutting down");
  }
  stall_timer_.Clear();
  look_timer_.Clear();
  pools_.clear();
  free_.clear();
}

// At the end of the turn: libcurl, which has called, is not to find its transfers gone.
void CurlClient::Impl::PoolWorked() {
  if (std::exchange(collects_, true)) return;
  Burst::AtEnd([this] { CollectFinished(); });
}

Ticket CurlClient::Impl::Send(const HttpRequest& request, Done done) {
  if (stopping_) {
    std::move(done)(
        TransportFailure{Kind::kStopped, "the gateway is shutting down", /*sendings=*/0});
    return {};
  }
  const SteadyTime now = std::chrono::steady_clock::now();
  std::unique_ptr<CurlTransfer> transfer = TakeTransfer();
  CurlPool* const pool = PoolFor(now);
  if (transfer == nullptr || pool == nullptr) {
    std::move(done)(TransportFailure{Kind::kOwnLimits, "libcurl is out of memory", /*sendings=*/0});
    return {};
  }
  if (const CURLcode code = transfer->Prepare(request, user_agent_); code != CURLE_OK) {
    std::move(done)(TransportFailure{KindOf(code), curl_easy_strerror(code), /*sendings=*/0});
    return {};
  }
  transfer->done = std::move(done);
  transfer->number = next_number_++;
  transfer->started_at = now;
  CurlTransfer* const raw = transfer.release();
  active_.insert(raw);
  stats_.started.Add();
  if (request.requests_sent != nullptr) {
    request.requests_sent->fetch_add(1, std::memory_order_relaxed);
  }
  if (request.sink != nullptr) {
    raw->resume_later = [this, raw, number = raw->number] {
      loop_.Post([this, raw, number] { Resume(raw, number); });
    };
  }
  pool->Add(*raw);
  if (!stall_timer_.is_set()) stall_timer_.Set(now + absl::ToChronoNanoseconds(stall_check_));
  if (!look_timer_.is_set()) look_timer_.Set(now + absl::ToChronoNanoseconds(kLook));
  return Ticket(
      [this, raw, number = raw->number] { Fail(raw, number, Kind::kCancelled, "cancelled"); });
}

// Where a transfer that starts at `now` goes; null when libcurl has no memory.
CurlPool* CurlClient::Impl::PoolFor(SteadyTime now) {
  if (pools_.empty() ||
      absl::FromChrono(now - pools_.back()->made_at()) > options_.connection_age) {
    if (auto pool = CurlPool::Make(loop_, options_.most_connections, [this] { PoolWorked(); })) {
      pools_.push_back(std::move(pool));
    }
  }
  return pools_.empty() ? nullptr : pools_.back().get();
}

// A handle with everything set that is the same for all requests; null when libcurl has none to
// give.
std::unique_ptr<CurlTransfer> CurlClient::Impl::TakeTransfer() {
  if (!free_.empty()) {
    std::unique_ptr<CurlTransfer> transfer = std::move(free_.back());
    free_.pop_back();
    return transfer;
  }
  auto transfer = std::make_unique<CurlTransfer>();
  if (!transfer->Init(sockets_, proxy_)) return nullptr;
  EasySetup setup(transfer->easy);
  setup.Set(CURLOPT_NOSIGNAL, 1L)
      .Set(CURLOPT_FOLLOWLOCATION, 0L)
      .Set(CURLOPT_PROXY, options_.proxy.c_str())  // empty: not even the environment's
      .Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED))
      .Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
      .Set(CURLOPT_PROTOCOLS_STR, "http,https")
      .Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
      .Set(CURLOPT_SSL_VERIFYPEER, 1L)
      .Set(CURLOPT_SSL_VERIFYHOST, 2L)
      .Set(CURLOPT_PIPEWAIT, 1L)
      .Set(CURLOPT_TCP_KEEPALIVE, 1L)
      // The end of a transfer, and of the process, does not wait for a name's look-up: the thread
      // that is at it is left behind, and cleans up after itself.
      .Set(CURLOPT_QUICK_EXIT, 1L)
      // Each new connection asks the system. libcurl 8.22 would remember for half a minute that a
      // name does not exist, so that a short failure of the name service would be a long one here.
      .Set(CURLOPT_DNS_CACHE_TIMEOUT, 0L)
      .Set(CURLOPT_CONNECTTIMEOUT_MS,
           static_cast<long>(absl::ToInt64Milliseconds(options_.connect_timeout)));
  if (!options_.ca_file.empty()) setup.Set(CURLOPT_CAINFO, options_.ca_file.c_str());
  return setup.code() == CURLE_OK ? std::move(transfer) : nullptr;
}

void CurlClient::Impl::CollectFinished() {
  collects_ = false;
  for (size_t i = 0; i < pools_.size(); ++i) {
    CURLcode code;
    while (CurlTransfer* const transfer = pools_[i]->NextFinished(code)) {
      HttpResult result = transfer->ResultOf(code, sockets_.last_shortage());
      Finish(transfer, std::move(result));
    }
  }
  // Of those that no longer take transfers, the empty ones.
  if (pools_.size() > 1) {
    pools_.erase(std::remove_if(pools_.begin(), pools_.end() - 1,
                                [](const auto& pool) { return pool->empty(); }),
                 pools_.end() - 1);
  }
}

void CurlClient::Impl::FailStalled() {
  const SteadyTime now = std::chrono::steady_clock::now();
  std::vector<std::pair<CurlTransfer*, uint64_t>> stalled;
  for (CurlTransfer* transfer : active_) {
    if (transfer->Stalled(now, options_.first_byte_timeout, options_.stall_timeout,
                          options_.least_bytes)) {
      stalled.emplace_back(transfer, transfer->number);
    }
  }
  for (const auto& [transfer, number] : stalled) {
    Fail(transfer, number, Kind::kStalled, "it kept us waiting for its answer");
  }
  if (!active_.empty()) stall_timer_.Set(now + absl::ToChronoNanoseconds(stall_check_));
}

void CurlClient::Impl::LookAtConnecting() {
  for (const auto& pool : pools_) {
    const bool connects =
        std::any_of(active_.begin(), active_.end(), [&pool](const CurlTransfer* transfer) {
          return transfer->pool == pool.get() && transfer->sendings() == 0;
        });
    if (connects) pool->LookAfterAll();
  }
  if (active_.empty()) return;
  look_timer_.Set(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(kLook));
}

// Does nothing if that use of the transfer has ended.
void CurlClient::Impl::Fail(CurlTransfer* transfer, uint64_t number, Kind kind,
                            absl::string_view detail) {
  if (!active_.contains(transfer) || transfer->number != number) return;
  Finish(transfer, transfer->Failure(kind, std::string(detail)));
}

// Nor does this.
void CurlClient::Impl::Resume(CurlTransfer* transfer, uint64_t number) {
  if (!active_.contains(transfer) || transfer->number != number) return;
  const CURLcode code = transfer->Resume();
  if (code != CURLE_OK) Finish(transfer, transfer->ResultOf(code, sockets_.last_shortage()));
}

void CurlClient::Impl::Count(const CurlTransfer& transfer, const HttpResult& result) {
  if (transfer.sendings() > 1) stats_.resent.Add(static_cast<uint64_t>(transfer.sendings() - 1));
  if (const auto* const answer = std::get_if<HttpAnswer>(&result)) {
    // What is none of HTTP's statuses is counted with the worst.
    const int hundreds = answer->status / 100;
    const bool known = hundreds >= 1 && hundreds <= static_cast<int>(CurlStats::kClasses);
    stats_.answered[known ? hundreds - 1 : CurlStats::kClasses - 1].Add();
    stats_.duration.Observe(
        absl::FromChrono(std::chrono::steady_clock::now() - transfer.started_at));
  } else if (const auto* const failure = std::get_if<TransportFailure>(&result)) {
    stats_.failed[static_cast<size_t>(failure->kind)].Add();
  }
}

// Takes the transfer out of libcurl before anybody hears of its end, so that `done` may send again.
void CurlClient::Impl::Finish(CurlTransfer* transfer, HttpResult result) {
  Count(*transfer, result);
  transfer->pool->Remove(*transfer);
  active_.erase(transfer);
  Done done = std::exchange(transfer->done, nullptr);
  transfer->DropSink();
  free_.emplace_back(transfer);
  std::move(done)(std::move(result));
}

CurlClient::CurlClient(EventLoop& loop, const CurlOptions& options) : loop_(loop) {
  loop_.Run([this, &options] { impl_ = std::make_unique<Impl>(loop_, options, stats_); });
}

absl::StatusOr<std::unique_ptr<CurlClient>> CurlClient::Start(EventLoop& loop,
                                                              const CurlOptions& options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) return absl::InternalError("libcurl cannot be initialised");
  auto client = std::unique_ptr<CurlClient>(new CurlClient(loop, options));
  absl::Status status;
  loop.Run([&] { status = client->impl_->Start(); });
  if (!status.ok()) return status;
  return client;
}

CurlClient::~CurlClient() {
  Stop();
  loop_.Run([this] { impl_.reset(); });
}

void CurlClient::Stop() {
  loop_.Run([this] { impl_->Stop(); });
}

Ticket CurlClient::Send(HttpRequest request, Done done) {
  return impl_->Send(request, std::move(done));
}

}  // namespace pcap_gateway
