// Redis replies: what hiredis reads, within bounds, and as our own type.
//
// hiredis takes what a server announces at its word: `*1000000000\r\n` is two gigabytes. What is
// bounded here, as it is read: how many values a reply has in all, how deep they lie in one
// another, how many bytes it has, and that somebody asked for it (hiredis ends the process
// otherwise).
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_REPLIES_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_REPLIES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "service/source/outcome.h"

// hiredis'.
struct redisReader;
struct redisReadTask;
struct redisReply;

namespace pcap_gateway {

struct RedisReply {
  enum class Kind { kNil, kText, kInteger, kArray, kError };
  Kind kind = Kind::kNil;
  std::string text;  // of kText, and of kError
  int64_t integer = 0;
  std::vector<RedisReply> elements;
};

struct ReplyBounds {
  // An entry (shared_entry.h), and what comes with it.
  size_t most_bytes = kMostOutcomeBytes + (128 << 10);
  size_t most_values = 1000;
  size_t most_depth = 4;  // of arrays in one another
};

// Watches over one connection's reader. Used by one thread at a time.
class ReplyGuard {
 public:
  explicit ReplyGuard(ReplyBounds bounds = {}) : bounds_(bounds) {}
  ReplyGuard(const ReplyGuard&) = delete;
  ReplyGuard& operator=(const ReplyGuard&) = delete;

  // From now on, and no other reader any more. `reader` holds nothing yet; it may be freed before
  // the guard, not after it.
  void Watch(redisReader& reader);

  // A command was sent that has one reply; it has been read, or never will be.
  void Expect() { ++expected_; }
  void Done() { --expected_; }

  // Whether what the reader holds, after it has made replies of what it could, is more than one
  // reply may have. To be asked after each read from the socket.
  bool IsTooMuch(const redisReader& reader);

  // What the server did that it may not, and after which the stream cannot be trusted; empty:
  // nothing since this was asked last. Where it did, the reader fails, as if there were no memory.
  absl::string_view TakeObjection() { return std::exchange(objection_, absl::string_view()); }

 private:
  struct Guarded;

  // Whether a value may be made that has `bytes` of its own, or announces so many `values`.
  bool Takes(const redisReadTask* task, size_t bytes, size_t values);

  const ReplyBounds bounds_;
  int64_t expected_ = 0;
  // Of the reply that is being read.
  size_t bytes_ = 0;
  size_t values_ = 0;
  absl::string_view objection_;
};

// Of a type that a server may not use, as nobody asked for RESP3: an error.
RedisReply ReplyFrom(const redisReply& reply);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_REPLIES_H_
