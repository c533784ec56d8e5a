// Heartbeat: whether threads still turn, which they show by answering.
//
//   Heartbeat heartbeat({[&](std::function<void()> answer) { loop.Post(std::move(answer)); }});
//   if (heartbeat.Beat()) manager.Alive();   // every few seconds
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_HEARTBEAT_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_HEARTBEAT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

namespace pcap_gateway {

// Beat is called by one thread; answers come on any.
class Heartbeat {
 public:
  // Has somebody's thread call `answer` soon, if that thread still does anything. Never blocks, and
  // is not called again before the answer was. The answer may come after the heartbeat's end.
  using Ask = std::function<void(std::function<void()> answer)>;

  explicit Heartbeat(std::vector<Ask> everybody);

  // True: since it was last asked, everybody has answered; true the first time, too. Asks those
  // again who have answered.
  bool Beat();

 private:
  struct One {
    Ask ask;
    std::shared_ptr<std::atomic<bool>> answered = std::make_shared<std::atomic<bool>>(true);
  };
  std::vector<One> everybody_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_HEARTBEAT_H_
