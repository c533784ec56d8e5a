// BodySink: where the body of an answer goes that is too large to be collected.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_BODY_SINK_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_BODY_SINK_H_

#include <cstdint>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

// Called on the thread that the answer comes on, until the question's reply is given; must not
// block.
class BodySink {
 public:
  // Any thread, once, also after the reply; but not after who was asked is gone.
  using Resume = absl::AnyInvocable<void() &&>;

  virtual ~BodySink() = default;

  // A body comes that is what was asked for, of so many `bytes`; absent: the answer does not say.
  // Once, before the first piece.
  virtual void Begin(std::optional<int64_t> bytes) = 0;

  // The next piece, which is taken in any case. False: no more of them before `resume` has run; the
  // transfer is paused, and nobody is thought to be late meanwhile.
  virtual bool Take(absl::string_view piece, Resume resume) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_BODY_SINK_H_
