#include "tests/bench/grpc_connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"

namespace pcap_gateway::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kFrameHeaderBytes = 5;

void Check(int result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string(what) + ": " + nghttp2_strerror(result));
}

[[noreturn]] void ThrowErrno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int ConnectTo(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in peer = {.sin_family = AF_INET};
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) != 1) {
    throw std::runtime_error("not an IPv4 address and port: " + address);
  }
  peer.sin_port = htons(static_cast<uint16_t>(port));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) ThrowErrno("socket");
  if (connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    ThrowErrno("cannot connect to " + address);
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

std::string_view View(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Refers to its arguments, which are to outlive the connection.
nghttp2_nv Header(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

}  // namespace

std::string Framed(std::string_view message) {
  const uint32_t size = htonl(static_cast<uint32_t>(message.size()));
  std::string framed(1, '\0');
  framed.append(reinterpret_cast<const char*>(&size), sizeof size);
  return framed.append(message);
}

// A call, and what has come back of it. Used for one call after the other, for its body's memory.
struct GrpcConnection::Stream {
  std::string_view unsent;
  std::string_view expected;
  Clock::time_point begin;
  bool http_ok;
  bool grpc_ok;
  bool hit;
  std::string body;   // unless it is streamed
  bool streamed;      // its answers are told of as they come
  size_t number = 0;  // of the call

  void Begin(size_t call, std::string_view framed, std::string_view contains) {
    number = call;
    unsent = framed;
    expected = contains;
    http_ok = grpc_ok = hit = false;
    body.clear();
    begin = Clock::now();
  }

  void OnHeader(std::string_view name, std::string_view value) {
    if (name == ":status") {
      http_ok = value == "200";
    } else if (name == "grpc-status") {
      grpc_ok = value == "0";
    } else if (name == "cache-status") {
      hit = value.find("; hit") != std::string_view::npos;
    }
  }

  std::string_view Message() const {
    return std::string_view(body).substr(std::min(kFrameHeaderBytes, body.size()));
  }

  std::string_view Fault(uint32_t error_code) const {
    if (error_code != NGHTTP2_NO_ERROR) return "the stream was reset";
    if (!http_ok) return ":status is not 200";
    if (!grpc_ok) return "grpc-status is not 0";
    if (streamed) return "";
    const std::string_view message = Message();
    if (message.empty()) return "no message";
    uint32_t size;
    memcpy(&size, body.data() + 1, sizeof size);
    if (body[0] != 0 || ntohl(size) != message.size()) return "not one message";
    if (message.find(expected) == std::string_view::npos) return "the answer of another call";
    return "";
  }
};

// What nghttp2 calls back with, turned into calls of ours.
struct GrpcConnection::Callbacks {
  static Stream* Find(nghttp2_session* session, int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    Stream* stream = Find(session, frame->hd.stream_id);
    if (stream != nullptr) stream->OnHeader(View(name, name_size), View(value, value_size));
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* self) {
    Stream* stream = Find(session, id);
    if (stream == nullptr) return 0;
    if (stream->streamed) {
      static_cast<GrpcConnection*>(self)->streaming_.on_bytes(stream->number, View(data, size));
    } else {
      stream->body.append(View(data, size));
    }
    return 0;
  }

  static int OnClose(nghttp2_session* session, int32_t id, uint32_t error_code, void* self) {
    Stream* stream = Find(session, id);
    if (stream != nullptr) static_cast<GrpcConnection*>(self)->End(stream, error_code);
    return 0;
  }

  static ssize_t ReadRequest(nghttp2_session*, int32_t, uint8_t* to, size_t most, uint32_t* flags,
                             nghttp2_data_source* source, void*) {
    std::string_view& unsent = static_cast<Stream*>(source->ptr)->unsent;
    const size_t size = unsent.copy(reinterpret_cast<char*>(to), most);
    unsent.remove_prefix(size);
    if (unsent.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }
};

GrpcConnection::GrpcConnection(const std::string& address, const std::string& path,
                               Metadata metadata, std::function<void(const CallResult&)> on_result,
                               Streaming streaming)
    : address_(address),
      path_(path),
      metadata_(std::move(metadata)),
      on_result_(std::move(on_result)),
      streaming_(std::move(streaming)),
      headers_{Header(":method", "POST"), Header(":scheme", "http"),
               // nghttp2 never puts :path into the peer's HPACK table, a gRPC client does: here
               // each server decodes 32 more bytes a call than it would have to.
               Header(":path", path_), Header(":authority", address_), Header("te", "trailers"),
               Header("content-type", "application/grpc"),
               Header("user-agent", "pcap-gateway-bench")} {
  for (const auto& [key, value] : metadata_) headers_.push_back(Header(key, value));
  fd_ = ConnectTo(address);
  StartSession();
}

GrpcConnection::~GrpcConnection() {
  nghttp2_session_del(session_);
  close(fd_);
}

void GrpcConnection::StartSession() {
  nghttp2_session_callbacks* callbacks = nullptr;
  Check(nghttp2_session_callbacks_new(&callbacks), "nghttp2_session_callbacks_new");
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnClose);
  Check(nghttp2_session_client_new(&session_, callbacks, this), "nghttp2_session_client_new");
  nghttp2_session_callbacks_del(callbacks);
  const auto window = static_cast<uint32_t>(streaming_.window_bytes);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
  Check(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)),
        "SETTINGS");
  Check(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                              streaming_.window_bytes),
        "WINDOW_UPDATE");
}

GrpcConnection::Stream* GrpcConnection::TakeStream() {
  if (free_streams_.empty()) {
    streams_.push_back(std::make_unique<Stream>());
    streams_.back()->streamed = streaming_.on_bytes != nullptr;
    return streams_.back().get();
  }
  Stream* stream = free_streams_.back();
  free_streams_.pop_back();
  return stream;
}

void GrpcConnection::Call(std::string_view framed, std::string_view expected) {
  Stream* stream = TakeStream();
  stream->Begin(calls_++, framed, expected);
  const nghttp2_data_provider body = {.source = {.ptr = stream},
                                      .read_callback = Callbacks::ReadRequest};
  Check(nghttp2_submit_request(session_, nullptr, headers_.data(), headers_.size(), &body, stream),
        "request");
}

void GrpcConnection::End(Stream* stream, uint32_t error_code) {
  const CallResult result = {.latency = Clock::now() - stream->begin,
                             .fault = stream->Fault(error_code),
                             .message_bytes = stream->Message().size(),
                             .hit = stream->hit};
  free_streams_.push_back(stream);
  on_result_(result);
}

void GrpcConnection::Receive(size_t most) {
  uint8_t buffer[kMostReceived];
  const ssize_t size = recv(fd_, buffer, std::min(most, kMostReceived), 0);
  if (size == 0) throw std::runtime_error("the server closed the connection");
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    ThrowErrno("recv");
  }
  Check(static_cast<int>(nghttp2_session_mem_recv(session_, buffer, static_cast<size_t>(size))),
        "HTTP/2");
}

bool GrpcConnection::Flush() {
  const uint8_t* frame = nullptr;
  ssize_t size = 0;
  // All frames in one send(): a system call each would cost more than the rest of the call.
  while ((size = nghttp2_session_mem_send(session_, &frame)) > 0) {
    unsent_.append(View(frame, static_cast<size_t>(size)));
  }
  Check(static_cast<int>(size), "HTTP/2");
  if (unsent_.empty()) return true;
  const ssize_t sent = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) ThrowErrno("send");
  if (sent > 0) unsent_.erase(0, static_cast<size_t>(sent));
  return unsent_.empty();
}

}  // namespace pcap_gateway::bench
