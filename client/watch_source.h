// WatchSource: a stream of WatchPcaps that connects again when its connection, or the gateway's
// replica, goes away.
//
// A new call begins with the state of each capture; a state that the reader knows is left out.
#ifndef PCAP_GATEWAY_CLIENT_WATCH_SOURCE_H_
#define PCAP_GATEWAY_CLIENT_WATCH_SOURCE_H_

#include <grpcpp/alarm.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "pcap/v1/pcap_service.pb.h"
#include "pcap_client/message_stream.h"
#include "pcap_client/retry_policy.h"
#include "service/base/mutex.h"

namespace pcap_client {

class WatchSource final : public MessageStream<pcap::v1::WatchPcapsResponse>::Source,
                          public std::enable_shared_from_this<WatchSource> {
 public:
  using Message = pcap::v1::WatchPcapsResponse;
  using Inner = MessageStream<Message>::Source;
  // Starts one call, for at most `timeout`, which is more than 0.
  using Connect = std::function<std::shared_ptr<Inner>(absl::Duration timeout)>;

  WatchSource(Connect connect, const RetryPolicy& retry, absl::Time deadline)
      : connect_(std::move(connect)), retry_(retry), deadline_(deadline) {}

  void Pull(Next next) override;
  void Cancel() override;
  CallResult<AnswerInfo> Outcome() const override;

 private:
  // Each may end the call: then `self` goes before its reader hears of it, who may let go of the
  // client.
  using Self = std::shared_ptr<WatchSource>;
  static void PullInner(Self self);
  static void Take(Self self, Message message);
  static void TakeEnd(Self self, std::shared_ptr<Inner> ended);
  static void End(Self self, CallResult<AnswerInfo> outcome);
  static void ConnectLater(Self self, absl::Duration pause);
  bool IsNews(const pcap::v1::Pcap& pcap) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayConnectAnew(const CallError& error) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration Pause(const CallError& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Next TakeNext();

  const Connect connect_;
  const RetryPolicy retry_;
  const absl::Time deadline_;

  mutable pcap_gateway::Mutex mutex_;
  Next next_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Inner> inner_ ABSL_GUARDED_BY(mutex_);  // the call that there is
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  std::optional<CallResult<AnswerInfo>> outcome_
      ABSL_GUARDED_BY(mutex_);  // absent: it has not ended
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool began_ ABSL_GUARDED_BY(mutex_) = false;  // a message has come, ever
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;    // in a row
  absl::Time connected_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  // What was told, by id; those told of last are at the end.
  std::deque<std::pair<std::string, pcap::v1::Pcap>> told_ ABSL_GUARDED_BY(mutex_);
  std::minstd_rand random_ ABSL_GUARDED_BY(mutex_){std::random_device()()};
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_WATCH_SOURCE_H_
