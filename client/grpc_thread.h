// What must not end on a thread of gRPC's is ended elsewhere.
//
// When the last channel of a process goes, gRPC 1.51 joins the threads that run callbacks. On one
// of them that is a thread which joins itself, goes on, and reads from a queue that is gone: the
// process aborts.
#ifndef PCAP_GATEWAY_CLIENT_GRPC_THREAD_H_
#define PCAP_GATEWAY_CLIENT_GRPC_THREAD_H_

#include <functional>

namespace pcap_client {

// While one lives, its thread counts as gRPC's. For the length of a callback.
class GrpcThread {
 public:
  GrpcThread();
  ~GrpcThread();
  GrpcThread(const GrpcThread&) = delete;
  GrpcThread& operator=(const GrpcThread&) = delete;

 private:
  const bool was_;  // one within another
};

// Runs `work`: here, or where that is a thread of gRPC's, on another one soon. The process does not
// exit before it has run.
void RunOffGrpcThreads(std::function<void()> work);

// A deleter for std::shared_ptr.
template <typename T>
void DestroyOffGrpcThreads(const T* object) {
  RunOffGrpcThreads([object] { delete object; });
}

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_GRPC_THREAD_H_
