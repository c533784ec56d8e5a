#include "service/shared/redis_replies.h"

#include <hiredis/hiredis.h>

namespace pcap_gateway {
namespace {

// What hiredis makes values with.
const redisReplyObjectFunctions& Makers() {
  static const redisReplyObjectFunctions makers = [] {
    redisReader* const reader = redisReaderCreate();
    const redisReplyObjectFunctions copy = *reader->fn;
    redisReaderFree(reader);
    return copy;
  }();
  return makers;
}

}  // namespace

// The same, each asking the guard first. Null is hiredis' word for "no memory": its reader fails,
// and the connection with it.
struct ReplyGuard::Guarded {
  static bool Takes(const redisReadTask* task, size_t bytes, size_t values) {
    return static_cast<ReplyGuard*>(task->privdata)->Takes(task, bytes, values);
  }
  static void* String(const redisReadTask* task, char* text, size_t size) {
    return Takes(task, size, 0) ? Makers().createString(task, text, size) : nullptr;
  }
  // The size is an int in hiredis 0.14, a size_t later.
  template <typename Size>
  static void* Array(const redisReadTask* task, Size size) {
    return Takes(task, 0, static_cast<size_t>(size)) ? Makers().createArray(task, size) : nullptr;
  }
  static void* Integer(const redisReadTask* task, long long value) {
    return Takes(task, 0, 0) ? Makers().createInteger(task, value) : nullptr;
  }
  static void* Nil(const redisReadTask* task) {
    return Takes(task, 0, 0) ? Makers().createNil(task) : nullptr;
  }

  // These are there since hiredis 1.0, for RESP3.
  template <typename Makers>
  static void GuardNewer(Makers& makers) {
    if constexpr (requires { makers.createDouble; }) {
      makers.createDouble = [](const redisReadTask* task, double value, char* text,
                               size_t size) -> void* {
        return Takes(task, size, 0) ? Newer<Makers>().createDouble(task, value, text, size)
                                    : nullptr;
      };
      makers.createBool = [](const redisReadTask* task, int value) -> void* {
        return Takes(task, 0, 0) ? Newer<Makers>().createBool(task, value) : nullptr;
      };
    }
  }
  template <typename Functions>
  static const Functions& Newer() {
    return Makers();
  }
};

void ReplyGuard::Watch(redisReader& reader) {
  static redisReplyObjectFunctions guarded = [] {
    redisReplyObjectFunctions makers = Makers();
    makers.createString = Guarded::String;
    makers.createArray = Guarded::Array;
    makers.createInteger = Guarded::Integer;
    makers.createNil = Guarded::Nil;
    Guarded::GuardNewer(makers);
    return makers;
  }();
  reader.fn = &guarded;
  reader.privdata = this;
  expected_ = 0;
  objection_ = "";
}

bool ReplyGuard::Takes(const redisReadTask* task, size_t bytes, size_t values) {
  if (task->parent == nullptr) bytes_ = values_ = 0;
  size_t depth = 0;
  for (const redisReadTask* at = task->parent; at != nullptr; at = at->parent) ++depth;
  if (expected_ <= 0) {
    objection_ = "it sends replies that nobody asked for";
  } else if (values > bounds_.most_values - values_ || depth > bounds_.most_depth) {
    objection_ = "it sends a reply with more values than any of ours has";
  } else if (bytes > bounds_.most_bytes - bytes_) {
    objection_ = "it sends a reply that is longer than any of ours";
  } else {
    values_ += values;
    bytes_ += bytes;
    return true;
  }
  return false;
}

bool ReplyGuard::IsTooMuch(const redisReader& reader) {
  // What is left is the beginning of a text, or of an array's next one.
  if (reader.len - reader.pos <= bounds_.most_bytes) return false;
  objection_ = "it sends a reply that is longer than any of ours";
  return true;
}

RedisReply ReplyFrom(const redisReply& reply) {
  RedisReply copy;
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      copy.kind = RedisReply::Kind::kText;
      copy.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_ERROR:
      copy.kind = RedisReply::Kind::kError;
      copy.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_INTEGER:
      copy.kind = RedisReply::Kind::kInteger;
      copy.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      copy.kind = RedisReply::Kind::kArray;
      for (size_t i = 0; i < reply.elements; ++i) {
        copy.elements.push_back(ReplyFrom(*reply.element[i]));
      }
      break;
    case REDIS_REPLY_NIL:
      break;
    default:
      copy.kind = RedisReply::Kind::kError;
      copy.text = "a reply of a type that nobody asked for";
      break;
  }
  return copy;
}

}  // namespace pcap_gateway
