// PollThread: a thread that waits in poll(2) for what it serves, and for its end.
#ifndef PCAP_GATEWAY_SERVICE_NET_POLL_THREAD_H_
#define PCAP_GATEWAY_SERVICE_NET_POLL_THREAD_H_

#include <functional>
#include <thread>

namespace pcap_gateway {

// One thread owns it.
class PollThread {
 public:
  PollThread() = default;
  PollThread(const PollThread&) = delete;
  PollThread& operator=(const PollThread&) = delete;
  ~PollThread() { Stop(); }

  // Runs `run` on the thread. Its argument is a descriptor that becomes readable, and stays so,
  // when `run` is to return. False: the system gives no thread or no descriptor, and `run` does not
  // run.
  bool Start(std::function<void(int stop)> run);

  // Returns once `run` has, where it runs.
  void Stop();

 private:
  int stop_ = -1;  // an eventfd
  std::thread thread_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_NET_POLL_THREAD_H_
