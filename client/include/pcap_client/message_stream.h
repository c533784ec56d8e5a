// MessageStream<Response>: the messages of a call that has many, one after the other.
//
//   MessageStream<DownloadPcapResponse> packets = client.DownloadPcap(request);
//   for (const DownloadPcapResponse& message : packets) file << message.data();
//   if (!packets.Outcome().ok()) return packets.Outcome().error().ToStatus();
//
// A message is read when it is asked for, so a slow reader slows the sender down, and no memory
// fills up meanwhile.
#ifndef PCAP_CLIENT_MESSAGE_STREAM_H_
#define PCAP_CLIENT_MESSAGE_STREAM_H_

#include <cstddef>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "pcap_client/answer.h"
#include "pcap_client/call_result.h"

namespace pcap_client {

// For one thread, except Cancel. Not for the callbacks of other calls, as it blocks.
template <typename Response>
class MessageStream {
 public:
  // Where the messages come from. The library's own.
  class Source {
   public:
    using Next = absl::AnyInvocable<void(std::optional<Response>) &&>;

    virtual ~Source() = default;

    // Hands the next message to `next` once it is there, on whichever thread; nothing where the
    // call has ended. One at a time.
    virtual void Pull(Next next) = 0;
    // Thread-safe.
    virtual void Cancel() = 0;
    // Of a call that has ended.
    virtual CallResult<AnswerInfo> Outcome() const = 0;
  };

  explicit MessageStream(std::shared_ptr<Source> source) : source_(std::move(source)) {}
  MessageStream(MessageStream&&) noexcept = default;
  MessageStream& operator=(MessageStream&&) = delete;

  // Cancels the call, unless it has ended, and blocks for that moment.
  ~MessageStream() {
    if (source_ == nullptr) return;
    Cancel();
    while (Next().has_value()) continue;
  }

  // Blocks until there is another message; absent: the call has ended.
  std::optional<Response> Next() {
    std::promise<std::optional<Response>> promise;
    std::future<std::optional<Response>> message = promise.get_future();
    source_->Pull([promise = std::move(promise)](std::optional<Response> next) mutable {
      promise.set_value(std::move(next));
    });
    return message.get();
  }

  // How the call ended: what the gateway said beside the messages, or the error that cut it off,
  // even where messages came before it. Only once Next has said that there are no more.
  CallResult<AnswerInfo> Outcome() const { return source_->Outcome(); }

  // Ends the call soon, with kCancelled; no effect on one that has ended. Thread-safe.
  void Cancel() const { source_->Cancel(); }

  // For one walk through the messages that are still to come.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Response;
    using difference_type = std::ptrdiff_t;
    using pointer = Response*;
    using reference = Response&;

    Iterator() = default;
    explicit Iterator(MessageStream* stream) : stream_(stream) { ++*this; }

    reference operator*() { return message_; }
    pointer operator->() { return &message_; }
    Iterator& operator++() {
      std::optional<Response> next = stream_->Next();
      at_end_ = !next.has_value();
      if (next.has_value()) message_ = *std::move(next);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return at_end_ == other.at_end_; }
    bool operator!=(const Iterator& other) const { return !(*this == other); }

   private:
    MessageStream* stream_ = nullptr;
    Response message_;
    bool at_end_ = true;
  };

  Iterator begin() { return Iterator(this); }
  Iterator end() { return Iterator(); }

 private:
  std::shared_ptr<Source> source_;
};

}  // namespace pcap_client

#endif  // PCAP_CLIENT_MESSAGE_STREAM_H_
