#include "service/shared/redis_connection.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <utility>

#include "service/base/burst.h"
#include "service/shared/name_lookup.h"

namespace pcap_gateway {
namespace {

// Of what hiredis was told to give back.
RedisConnection& Self(void* data) { return *static_cast<RedisConnection*>(data); }

}  // namespace

RedisConnection::RedisConnection(EventLoop& loop, Owner& owner, RedisUrl url,
                                 RedisTlsFiles tls_files)
    : loop_(loop), owner_(owner), url_(std::move(url)), tls_files_(std::move(tls_files)) {}

void RedisConnection::Open() {
  untried_ = 0;
  if (url_.path.empty()) {
    FindMeans();
  } else {
    Attach(redisAsyncConnectUnix(url_.path.c_str()), nullptr);
  }
}

void RedisConnection::Close() {
  // This calls back for each command without a reply.
  if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
  tls_.reset();
}

void RedisConnection::Stop() {
  stopped_ = true;
  if (search_ != nullptr) std::exchange(search_, nullptr)->Abandon();
  Close();
}

void RedisConnection::KeepAddress() {
  if (next_address_ > 0) --next_address_;
}

// Not here, nor by hiredis: that would hold up the loop, and with it all calls, for as long as DNS
// or a disk takes.
void RedisConnection::FindMeans() {
  if (search_ != nullptr) return;  // one is enough, however long it takes
  search_ = Aside<Means>::Start(
      [url = url_, files = tls_files_] {
        return Means{AddressesOf(url.host), url.tls ? RedisTls::Load(files) : nullptr};
      },
      [this](Means means) {
        loop_.Post([this, means = std::move(means)]() mutable { Found(std::move(means)); });
      });
  if (search_ == nullptr) Lose("there is no thread to look up its name");
}

void RedisConnection::Found(Means means) {
  search_ = nullptr;
  // However late: the attempt that asked may have been given up.
  if (stopped_ || context_ != nullptr) return;
  if (means.addresses.empty()) return Lose("its name has no address");
  if (!means.tls.ok()) return Lose(means.tls.status().message());
  means_ = std::move(means);
  untried_ = means_.addresses.size();
  ConnectToNext();
}

void RedisConnection::ConnectToNext() {
  if (stopped_ || context_ != nullptr || untried_ == 0) return;
  --untried_;
  owner_.AddressFound();
  const std::string& address = means_.addresses[next_address_++ % means_.addresses.size()];
  Attach(redisAsyncConnect(address.c_str(), url_.port), *means_.tls);
}

bool RedisConnection::TryNextAddress() {
  if (stopped_ || untried_ == 0) return false;
  Close();
  // In a turn of its own: hiredis may be about to close the socket of the one that is given up.
  loop_.Post([this] { ConnectToNext(); });
  return true;
}

// `tls_context`: null where it is to be without TLS.
void RedisConnection::Attach(redisAsyncContext* context, const RedisTls::Context& tls_context) {
  if (context == nullptr) return Lose("out of memory");
  if (context->err != 0) {
    const std::string why = context->errstr;
    redisAsyncFree(context);
    return Lose(why);
  }
  if (tls_context != nullptr) {
    absl::StatusOr<RedisTls> tls = RedisTls::Begin(context->c, tls_context, url_.host);
    if (!tls.ok()) {
      redisAsyncFree(context);
      return Lose(tls.status().message());
    }
    tls_ = *tls;
  }
  context_ = context;
  socket_ = context->c.fd;
  wanted_ = 0;
  loop_.sockets().Opened(socket_);
  Hook(*context);
}

// Has hiredis call this.
void RedisConnection::Hook(redisAsyncContext& context) {
  context.data = this;
  context.ev.data = this;
  context.ev.addRead = [](void* data) { Self(data).Want(Self(data).wanted_ | kReadable); };
  context.ev.delRead = [](void* data) { Self(data).Want(Self(data).wanted_ & ~kReadable); };
  context.ev.addWrite = [](void* data) { Self(data).WantToWrite(); };
  context.ev.delWrite = [](void* data) { Self(data).Want(Self(data).wanted_ & ~kWritable); };
  // Before a context closes its socket, and so before the next one opens another.
  context.ev.cleanup = [](void* data) {
    Self(data).loop_.sockets().Closed(Self(data).socket_);
    Self(data).wanted_ = 0;
  };
  redisAsyncSetConnectCallback(&context, [](const redisAsyncContext* context, int status) {
    RedisConnection& connection = Self(context->data);
    if (connection.context_ != context) return;  // given up before
    if (status != REDIS_OK) return connection.ContextEnded(*context);
    connection.guard_.Watch(*context->c.reader);
    connection.owner_.Connected();
  });
  redisAsyncSetDisconnectCallback(&context, [](const redisAsyncContext* context, int) {
    RedisConnection& connection = Self(context->data);
    if (connection.context_ == context) connection.ContextEnded(*context);
  });
}

// hiredis frees the context when this returns. Of TLS it says no more than that it failed.
void RedisConnection::ContextEnded(const redisAsyncContext& context) {
  context_ = nullptr;
  const std::string tls_says = tls_.has_value() ? tls_->WhyItFailed() : "";
  Lose(tls_says.empty() ? context.errstr : tls_says);
}

void RedisConnection::Lose(absl::string_view why) {
  // What Redis did wrong says more than that hiredis had "no memory" for it.
  const absl::string_view objection = guard_.TakeObjection();
  owner_.Lost(objection.empty() ? why : objection);
}

void RedisConnection::Want(int wanted) {
  if (wanted == wanted_) return;
  wanted_ = wanted;
  loop_.sockets().Watch(socket_, wanted, this);
}

// hiredis finds errors out by trying.
void RedisConnection::Ready(int, int what) {
  redisAsyncContext* const context = context_;
  const bool failed = (what & kFailed) != 0;
  if ((what & kReadable) != 0 || (failed && (wanted_ & kReadable) != 0)) Read();
  const bool writable = (what & kWritable) != 0 || (failed && (wanted_ & kWritable) != 0);
  // It may be gone.
  if (context != nullptr && context_ == context && writable) redisAsyncHandleWrite(context);
}

void RedisConnection::Read() {
  redisAsyncContext* const context = context_;
  if (context == nullptr) return;
  redisAsyncHandleRead(context);
  // It may be gone: lost, or given up by whoever was called back.
  if (context_ == context && guard_.IsTooMuch(*context->c.reader)) Lose("");
}

// Only where the kernel does not take it all at the turn's end, or there is no connection yet, the
// loop is to say when there is more room.
void RedisConnection::WantToWrite() {
  const bool connected = context_ != nullptr && (context_->c.flags & REDIS_CONNECTED) != 0;
  if (!connected || writes_) return Want(wanted_ | kWritable);
  if (!std::exchange(will_write_, true)) Burst::AtEnd([this] { Write(); });
}

void RedisConnection::Write() {
  will_write_ = false;
  if (context_ == nullptr) return;
  owner_.Leaving();
  if ((wanted_ & kWritable) != 0) return;
  writes_ = true;
  redisAsyncHandleWrite(context_);
  writes_ = false;
}

bool RedisConnection::Issue(const std::vector<absl::string_view>& arguments, Receiver& receiver) {
  if (context_ == nullptr) return false;
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const absl::string_view argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  const auto replied = [](redisAsyncContext* context, void* reply, void* receiver) {
    Self(context->data).guard_.Done();
    std::optional<RedisReply> its;
    if (reply != nullptr) its = ReplyFrom(*static_cast<const redisReply*>(reply));
    static_cast<Receiver*>(receiver)->Replied(std::move(its));
  };
  if (redisAsyncCommandArgv(context_, replied, &receiver, static_cast<int>(texts.size()),
                            texts.data(), sizes.data()) != REDIS_OK) {
    return false;
  }
  guard_.Expect();
  return true;
}

}  // namespace pcap_gateway
