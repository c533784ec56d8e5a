// WriteSource: a Source around a Source that sees each write to its end, and sends it once.
//
// A write that has been sent cannot be taken back. Where its caller leaves, the write goes on: so
// those below hear how it ends, and forget what it outdates. The caller hears at once that its
// outcome is unknown, except of one that may be repeated. A write that still waits for its turn is
// given up with its last caller.
//
// A write with a request_id (AIP-155) is remembered for ten minutes: the same one asked for again
// joins it, or gets its answer, and is never sent a second time, not even where nobody knows how
// the first one ended. One that changed nothing, as it was refused or never sent, is not
// remembered.
//
// With a memory that replicas share the same holds for all of them: one sends, and the others wait
// for what it tells. Where that replica is gone nobody knows how the write ended, and it is not
// sent again. While the memory cannot be asked, each replica remembers its own alone; what ends
// meanwhile is told once it can.
//
// Reads go straight through.
#ifndef PCAP_GATEWAY_SERVICE_WRITES_WRITE_SOURCE_H_
#define PCAP_GATEWAY_SERVICE_WRITES_WRITE_SOURCE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/loop/loop.h"
#include "service/source/source.h"
#include "service/source/write_memory.h"

namespace pcap_gateway {

struct WriteStats {
  Counter repeated;   // answered by what another call with the same request_id had done, or does
  Counter abandoned;  // sent, and left by all who had asked for it
  Counter awaited;    // that another replica was sending
  Counter lost;       // claimed by another replica, which is gone
  Counter alone;      // with a request_id, sent while the shared memory could not be asked
};

struct WriteOptions {
  // What replicas remember together; it outlives the source. Null: this one is alone.
  WriteMemory* memory = nullptr;
  // Told, on the loop's thread and not often, that writes are remembered here alone. May be empty.
  std::function<void(const std::string& line)> log;
  // Told of each write that may have made out of date what is kept, whether or not its caller is
  // still there, before any caller hears of it. On the loop's thread. May be empty.
  std::function<void(const Query& write)> written;
};

// Thread-safe. Its state belongs to the loop's thread.
class WriteSource final : public Source {
 public:
  static constexpr absl::Duration kRemembered = kWriteRemembered;
  // More than Cloudflare's rate limit lets a credential make in that time, many times over. Beyond,
  // those that ended first are forgotten.
  static constexpr size_t kMostRemembered = 20'000;

  // The loop and the clock outlive it. All open questions of `inner` end before it is destroyed.
  WriteSource(std::unique_ptr<Source> inner, Loop& loop, const Clock& clock,
              WriteOptions options = {});
  ~WriteSource() override;

  std::optional<Reply> AtHand(const Query& query) override { return inner_->AtHand(query); }
  Ticket Ask(Query query, Done done) override;

  const WriteStats& stats() const { return stats_; }

 private:
  struct Caller;
  struct Write;
  using CallerPtr = std::shared_ptr<Caller>;
  using WritePtr = std::shared_ptr<Write>;
  // Whose it is, and its endpoint's number with the request_id.
  using Name = std::pair<std::pair<Partition, Id>, std::string>;

  void Begin(const CallerPtr& caller, Query query);
  void Claim(const WritePtr& write);
  void Heard(const WritePtr& write, const WriteMemory::Known& known);
  void Await(const WritePtr& write);
  void SendAlone(const WritePtr& write);
  void KeepLater(const WritePtr& write);
  void Send(const WritePtr& write);
  void Ended(const WritePtr& write, const Reply& reply);
  void TellOf(const Write& write) const;
  void Tell(const WritePtr& write, const Reply& reply);
  void Settle(const WritePtr& write, const Reply& reply);
  void Leave(const CallerPtr& caller);
  void Drop(const Write& write);
  bool IsLatest(const WritePtr& write) const;
  void Forget(absl::Time now);

  const std::unique_ptr<Source> inner_;
  Loop& loop_;
  const Clock& clock_;
  const WriteOptions options_;
  absl::flat_hash_map<Name, WritePtr> remembered_;
  absl::Time log_from_ = absl::InfinitePast();
  WriteStats stats_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_WRITES_WRITE_SOURCE_H_
