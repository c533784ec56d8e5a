// RedisConnection: a connection to a Redis through hiredis, made again as often as its owner wants.
// Its socket hangs on the loop.
//
// It connects to one of the name's addresses after the other. Names are looked up and TLS' files
// read aside, for each new connection, so that the loop does not wait, and a file that was replaced
// counts from the next connection on.
//
// What is issued in one turn of the loop leaves in one piece at its end. What Redis replies is
// bounded as it is read (redis_replies.h); a reply beyond that ends the connection.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_CONNECTION_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_CONNECTION_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/loop/event_loop.h"
#include "service/shared/aside.h"
#include "service/shared/redis_replies.h"
#include "service/shared/redis_tls.h"
#include "service/shared/redis_url.h"

// hiredis'.
struct redisAsyncContext;

namespace pcap_gateway {

// The loop's thread only.
class RedisConnection final : private SocketWatcher {
 public:
  // Who is told what becomes of it.
  class Owner {
   public:
    // An address is known, perhaps late: connecting to it begins.
    virtual void AddressFound() = 0;
    // Commands may be issued. A handshake of TLS may still be under way.
    virtual void Connected() = 0;
    // What was issued in this turn is about to leave.
    virtual void Leaving() = 0;
    // It could not be made, or is of no use any more, and is to be closed. `why`: without secrets.
    virtual void Lost(absl::string_view why) = 0;

   protected:
    ~Owner() = default;
  };

  // Who waits for the reply to a command.
  class Receiver {
   public:
    // Called once for each command. Absent: there is no reply, as the connection ends. The receiver
    // may be gone when it returns.
    virtual void Replied(std::optional<RedisReply> reply) = 0;

   protected:
    ~Receiver() = default;
  };

  // `loop` and `owner` outlive it.
  RedisConnection(EventLoop& loop, Owner& owner, RedisUrl url, RedisTlsFiles tls_files);

  // Begins to connect, unless that is under way. The owner hears of its end, perhaps before Open
  // returns. It must not be open.
  void Open();

  // Gives up the address that it connects to, or is connected to, for the name's next one. False:
  // all have been tried since Open, and nothing happens.
  bool TryNextAddress();

  // Ends it, where it is open: all receivers are told that there is no reply.
  void Close();

  // Closes it for good, and gives up looking for addresses.
  void Stop();

  // Sends a command in this turn. False: there is no connection, or it is about to be lost, and
  // `receiver` is not called.
  bool Issue(const std::vector<absl::string_view>& arguments, Receiver& receiver);

  // Reads once from the socket, and hands on what replies came with that.
  void Read();

  // The next connection goes to this one's address, too.
  void KeepAddress();

  // Whether TLS' handshake is under way.
  bool shakes_hands() const { return tls_.has_value() && !tls_->IsUp(); }

 private:
  // What a connection over TCP takes, and may take long to get.
  struct Means {
    std::vector<std::string> addresses;
    absl::StatusOr<RedisTls::Context> tls;  // null: the URL wants none
  };

  void FindMeans();
  void Found(Means means);
  void ConnectToNext();
  void Attach(redisAsyncContext* context, const RedisTls::Context& tls_context);
  void Hook(redisAsyncContext& context);
  void Ready(int socket, int what) override;
  void Want(int wanted);
  void WantToWrite();
  void Write();
  void ContextEnded(const redisAsyncContext& context);
  void Lose(absl::string_view why);

  EventLoop& loop_;
  Owner& owner_;
  const RedisUrl url_;
  const RedisTlsFiles tls_files_;

  bool stopped_ = false;
  std::shared_ptr<Aside<Means>> search_;  // under way, perhaps since an attempt that was given up
  Means means_;                           // of the last search
  size_t untried_ = 0;                    // of its addresses, since Open
  size_t next_address_ = 0;  // of the name, modulo their number: the next one when one fails
  redisAsyncContext* context_ = nullptr;
  int socket_ = -1;              // of the context whose hooks are there
  int wanted_ = 0;               // of the loop: kReadable, kWritable
  bool will_write_ = false;      // Write will run in this turn
  bool writes_ = false;          // it does
  std::optional<RedisTls> tls_;  // the context's
  ReplyGuard guard_;             // of the context's replies
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_CONNECTION_H_
