#include "service/rpc/download_feed.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/base/mutex.h"
#include "service/endpoints/get_pcap.h"
#include "service/rpc/feed.h"
#include "service/rpc/message_bytes.h"
#include "service/source/redaction.h"
#include "service/source/source.h"

namespace pcap_gateway {
namespace {

using pcap::v1::DownloadPcapResponse;
using pcap::v1::GetPcapResponse;
using pcap::v1::Pcap;
using pcap::v1::PcapStatus;

constexpr size_t kMostMessageBytes = 64 << 10;
// Pausing a transfer and going on with it takes a turn of both threads, so that is not done for
// each message.
constexpr size_t kMostWaitingBytes = 2 * kMostMessageBytes;
constexpr size_t kFewWaitingBytes = kMostWaitingBytes / 2;

// What has come from Cloudflare and is not written yet. The loop's thread puts it in, the stream's
// takes it out.
class Pieces final : public BodySink {
 public:
  // `tell` is called when there is something, once until Next; on the loop's thread.
  explicit Pieces(std::function<void()> tell) : tell_(std::move(tell)) {}

  void Begin(std::optional<int64_t> bytes) override {
    const Lock lock(mutex_);
    total_bytes_ = bytes;
  }

  bool Take(absl::string_view piece, Resume resume) override {
    bool is_full;
    bool is_news;
    {
      const Lock lock(mutex_);
      if (dropped_) return true;
      Append(piece);
      is_full = WaitingBytes() >= kMostWaitingBytes;
      if (is_full) resume_ = std::move(resume);
      is_news = !std::exchange(told_, true);
    }
    if (is_news) tell_();
    return !is_full;
  }

  // The next message; nullopt: nothing has come since the last one.
  std::optional<grpc::ByteBuffer> Next() {
    std::string data;
    DownloadPcapResponse rest;
    Resume resume;
    {
      const Lock lock(mutex_);
      told_ = false;
      if (waiting_.empty()) return std::nullopt;
      if (total_bytes_.has_value()) rest.set_total_bytes(*total_bytes_);
      total_bytes_.reset();
      data = std::move(waiting_.front());
      waiting_.pop_front();
      if (WaitingBytes() <= kFewWaitingBytes) resume = std::exchange(resume_, nullptr);
    }
    if (resume) std::move(resume)();
    return BytesOf(DownloadPcapResponse::kDataFieldNumber, std::move(data), rest);
  }

  // Nobody takes them any more, nor what still comes.
  void Drop() {
    const Lock lock(mutex_);
    dropped_ = true;
    waiting_.clear();
  }

 private:
  void Append(absl::string_view piece) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!piece.empty()) {
      if (waiting_.empty() || waiting_.back().size() == kMostMessageBytes) {
        waiting_.emplace_back().reserve(kMostMessageBytes);
      }
      std::string& last = waiting_.back();
      const size_t part = std::min(piece.size(), kMostMessageBytes - last.size());
      last.append(piece.data(), part);
      piece.remove_prefix(part);
    }
  }

  // All but the last one are full.
  size_t WaitingBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (waiting_.empty()) return 0;
    return (waiting_.size() - 1) * kMostMessageBytes + waiting_.back().size();
  }

  const std::function<void()> tell_;
  Mutex mutex_;
  std::optional<int64_t> total_bytes_ ABSL_GUARDED_BY(mutex_);  // until the first message
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mutex_);     // the data of messages
  Resume resume_ ABSL_GUARDED_BY(mutex_);                       // set while the transfer is paused
  bool told_ ABSL_GUARDED_BY(mutex_) = false;
  bool dropped_ ABSL_GUARDED_BY(mutex_) = false;
};

Error NotDownloadable(Reason reason, std::string message) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, std::move(message));
}

// "CONVERSION_PENDING" → "conversion_pending", as Cloudflare writes it.
std::string TextOf(PcapStatus status) {
  constexpr size_t kPrefix = sizeof("PCAP_STATUS_") - 1;
  return absl::AsciiStrToLower(pcap::v1::PcapStatus_Name(status).substr(kPrefix));
}

// Why there are no packets of this capture; nullopt: it does not say.
std::optional<Error> WhyNone(const Pcap& pcap) {
  if (pcap.has_full()) {
    const std::string bucket = RedactDestination(pcap.full().destination_conf());
    Error error = NotDownloadable(
        Reason::kPcapInBucket, absl::StrCat("it is a full capture, whose files lie in its bucket: ",
                                            bucket.empty() ? "see its destination_conf" : bucket,
                                            " (pcap_<id>.pcap, one or more)"));
    if (!bucket.empty()) error.metadata.emplace_back("destinationConf", bucket);
    return error;
  }
  const PcapStatus status = pcap.simple().status();
  switch (status) {
    case pcap::v1::PCAP_STATUS_PENDING:
    case pcap::v1::PCAP_STATUS_RUNNING:
    case pcap::v1::PCAP_STATUS_CONVERSION_PENDING:
    case pcap::v1::PCAP_STATUS_CONVERSION_RUNNING: {
      Error error =
          NotDownloadable(Reason::kPcapNotReady,
                          absl::StrCat("the capture is not ready, its status is ", TextOf(status),
                                       "; ask for it (GetPcap) until that is success"));
      error.metadata.emplace_back("status", TextOf(status));
      return error;
    }
    case pcap::v1::PCAP_STATUS_FAILED: {
      Error error = NotDownloadable(Reason::kPcapNotReady,
                                    "the capture failed, so there are no packets of it");
      error.metadata.emplace_back("status", TextOf(status));
      return error;
    }
    default:
      return std::nullopt;
  }
}

// Whether Cloudflare refuses the download, for reasons that may lie in the capture.
bool IsRefused(const Outcome& outcome) {
  if (outcome.ok()) return false;
  const Reason reason = outcome.error->reason;
  return reason == Reason::kPcapNotFound || reason == Reason::kUpstreamBadRequest ||
         reason == Reason::kUpstreamConflict;
}

class DownloadFeed final : public Feed {
 public:
  explicit DownloadFeed(const FeedParts& parts)
      : outlet_(parts.outlet), source_(parts.source), query_(parts.query) {}

  void Begin() override {
    pieces_ = std::make_shared<Pieces>([this] { outlet_.Post([this] { Go(); }); });
    query_.sink = pieces_;
    ticket_ = source_.Ask(query_, [this](Reply reply) {
      outlet_.Post([this, reply = std::move(reply)]() mutable { Ended(std::move(reply)); });
    });
  }

  void Written() override { Go(); }

  void Leave() override {
    left_ = true;
    pieces_->Drop();
    if (end_.has_value()) {
      Go();
    } else {
      ticket_.Cancel();
    }
  }

 private:
  // Writes what has come, or ends when all is written.
  void Go() {
    if (outlet_.writing() && !left_) return;
    if (const std::optional<grpc::ByteBuffer> message = pieces_->Next()) {
      outlet_.Write(*message);
    } else if (end_.has_value() && !finished_) {
      finished_ = true;
      outlet_.Finish(left_ ? Left() : *end_);
    }
  }

  static Reply Left() {
    return FailedReply(Error(absl::StatusCode::kCancelled, Reason::kCancelled, "nobody reads on"));
  }

  void Ended(Reply reply) {
    if (!left_ && IsRefused(*reply.outcome)) return AskWhy(std::move(reply));
    end_ = std::move(reply);
    Go();
  }

  // What the API answers for a capture without a file is not documented; the capture says it.
  void AskWhy(Reply refused) {
    Query query = query_;
    query.endpoint = &kGetPcap;
    query.sink = nullptr;
    ticket_ =
        source_.Ask(std::move(query), [this, refused = std::move(refused)](Reply reply) mutable {
          outlet_.Post([this, refused = std::move(refused), reply = std::move(reply)]() mutable {
            Explain(std::move(refused), reply);
          });
        });
  }

  void Explain(Reply refused, const Reply& reply) {
    GetPcapResponse capture;
    if (reply.outcome->ok() && capture.ParseFromString(reply.outcome->message)) {
      if (std::optional<Error> why = WhyNone(capture.pcap())) {
        refused = FailedReply(*std::move(why));
      }
    }
    end_ = std::move(refused);
    Go();
  }

  Outlet& outlet_;
  Source& source_;
  Query query_;
  std::shared_ptr<Pieces> pieces_;
  Ticket ticket_;
  bool left_ = false;
  bool finished_ = false;
  std::optional<Reply> end_;  // once nothing more comes
};

}  // namespace

std::unique_ptr<Feed> MakeDownloadFeed(const FeedParts& parts) {
  return std::make_unique<DownloadFeed>(parts);
}

}  // namespace pcap_gateway
