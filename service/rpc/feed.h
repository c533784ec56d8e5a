// Feed: what a stream of answers brings; Outlet: the stream, as its feed sees it.
//
// A feed writes one message, and the next when that is written: whoever reads slowly makes nothing
// pile up here.
#ifndef PCAP_GATEWAY_SERVICE_RPC_FEED_H_
#define PCAP_GATEWAY_SERVICE_RPC_FEED_H_

#include <grpcpp/support/byte_buffer.h>

#include "absl/functional/any_invocable.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

// On the stream's thread, except Post.
class Outlet {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  // Not while writing(), and not after Finish. Once Feed::Leave was called it has no effect.
  virtual void Write(const grpc::ByteBuffer& message) = 0;
  virtual bool writing() const = 0;

  // The end, which follows what is being written. Once; the feed has nothing under way any more.
  virtual void Finish(Reply reply) = 0;

  // Any thread, before Finish: runs `task` on the stream's thread, soon and in order.
  virtual void Post(Task task) = 0;

 protected:
  ~Outlet() = default;
};

// Belongs to its stream; called on its thread.
class Feed {
 public:
  virtual ~Feed() = default;

  // Once, before the others.
  virtual void Begin() = 0;
  // What was given to Outlet::Write is on its way.
  virtual void Written() {}
  // Nobody takes more: the feed ends what it has under way and calls Outlet::Finish, in here or
  // soon; with CANCELLED, if there was more to tell. At most once, and not after Finish.
  virtual void Leave() = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_FEED_H_
