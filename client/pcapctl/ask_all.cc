#include "client/pcapctl/ask_all.h"

#include <optional>
#include <string>
#include <utility>

#include "client/pcapctl/pcap_id.h"
#include "service/base/mutex.h"

namespace pcap_client {
namespace {

constexpr size_t kMostInFlight = 32;

// Filled on gRPC's threads, emptied on ours.
struct Answers {
  explicit Answers(size_t count) : results(count) {}

  pcap_gateway::Mutex mutex;
  pcap_gateway::Condition came;
  std::vector<std::optional<CallResult<GetPcapAnswer>>> results ABSL_GUARDED_BY(mutex);
  size_t in_flight ABSL_GUARDED_BY(mutex) = 0;
};

}  // namespace

void AskAll(const PcapClient& client, const std::vector<pcap::v1::GetPcapRequest>& requests,
            const CallOptions& options,
            const std::function<void(size_t index, CallResult<GetPcapAnswer> result)>& receive) {
  Answers answers(requests.size());
  const auto start = [&](size_t index) {
    if (const auto id = FoldedId(requests[index].pcap_id()); !id.ok()) {
      const pcap_gateway::Lock lock(answers.mutex);
      answers.results[index] =
          CallError{.code = id.status().code(), .message = std::string(id.status().message())};
      --answers.in_flight;
      return;
    }
    client.GetPcapAsync(requests[index], options, [&, index](CallResult<GetPcapAnswer> result) {
      const pcap_gateway::Lock lock(answers.mutex);
      answers.results[index] = std::move(result);
      --answers.in_flight;
      answers.came.NotifyOne();
    });
  };
  size_t started = 0;
  for (size_t next = 0; next < requests.size(); ++next) {
    pcap_gateway::Lock lock(answers.mutex);
    auto& result = answers.results[next];
    while (!result.has_value()) {
      if (started < requests.size() && answers.in_flight < kMostInFlight) {
        ++answers.in_flight;
        // Not under the lock: a request that cannot be sent is answered before this returns.
        lock.Unlock();
        start(started++);
        lock.Relock();
      } else {
        answers.came.Wait(lock);
      }
    }
    lock.Unlock();
    receive(next, *std::move(result));
  }
}

}  // namespace pcap_client
