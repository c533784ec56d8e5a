// Redis as an enemy: whatever bytes come from its socket, in whatever pieces, and what is made of
// the replies. The first byte: how large the pieces are, and how many replies are waited for.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <memory>
#include <string>

#include "service/shared/redis_replies.h"
#include "service/shared/shared_entry.h"
#include "service/shared/shared_ledger.h"
#include "tests/fuzz/require.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

// Small ones, so that inputs of a few KiB go beyond them.
constexpr ReplyBounds kBounds{.most_bytes = 1024, .most_values = 64, .most_depth = 3};

struct Size {
  size_t bytes = 0;
  size_t values = 1;
  size_t depth = 0;
};

Size SizeOf(const RedisReply& reply) {
  Size size{.bytes = reply.text.size()};
  for (const RedisReply& element : reply.elements) {
    const Size inner = SizeOf(element);
    size.bytes += inner.bytes;
    size.values += inner.values;
    size.depth = std::max(size.depth, inner.depth + 1);
  }
  return size;
}

void RequireSound(const RedisReply& reply) {
  const Size size = SizeOf(reply);
  Require(size.bytes <= kBounds.most_bytes, "no more bytes than are allowed");
  Require(size.values <= kBounds.most_values + 1, "no more values");
  Require(size.depth <= kBounds.most_depth + 1, "no deeper");

  static const auto credential = TestCredential();
  static const std::string name = EntryName(QueryFor(1), "");
  Require(!OpenedEntry(reply.text, name, *credential, Reason::kPcapNotFound).has_value(),
          "nobody else's entry opens");

  static const LedgerEntry entry{.window = absl::Minutes(5), .longest_block = absl::Minutes(5)};
  const std::optional<LedgerWord> word = LedgerWordFrom(reply, entry);
  if (!word.has_value()) return;
  Require(word->left >= 0 && word->left <= 1'000'000'000, "as many are left as can be");
  Require(word->replicas >= 1 && word->replicas <= 1'000, "there are as many replicas as can be");
  if (!word->refusal.has_value()) return;
  Require(word->refusal->wait > absl::ZeroDuration(), "who is refused has to wait");
  Require(word->refusal->wait <= entry.window, "and no longer than a window");
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  if (size == 0) return 0;
  const size_t piece = 1 + data[0] % 32;
  int expected = 1 + data[0] / 32;
  const absl::string_view bytes = TextOf(data + 1, size - 1);

  ReplyGuard guard(kBounds);
  const std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader(redisReaderCreate(),
                                                                        &redisReaderFree);
  guard.Watch(*reader);
  for (int i = 0; i < expected; ++i) guard.Expect();
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const absl::string_view next = bytes.substr(at, piece);
    if (redisReaderFeed(reader.get(), next.data(), next.size()) != REDIS_OK) return 0;
    while (true) {
      void* made = nullptr;
      if (redisReaderGetReply(reader.get(), &made) != REDIS_OK) return 0;
      if (made == nullptr) break;
      Require(expected-- > 0, "no reply that nobody asked for");
      guard.Done();
      const RedisReply reply = ReplyFrom(*static_cast<redisReply*>(made));
      freeReplyObject(made);
      RequireSound(reply);
    }
    if (guard.IsTooMuch(*reader)) return 0;
    Require(reader->len - reader->pos <= kBounds.most_bytes, "no more is held back");
  }
  return 0;
}
