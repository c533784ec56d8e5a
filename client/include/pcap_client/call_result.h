// CallResult<T>: what a call brought, a T or a CallError.
//
//   CallResult<GetPcapAnswer> result = client.GetPcap(request);
//   if (!result.ok()) return result.error().ToStatus();
//   Use(result->response);
//
// Like absl::StatusOr, with an error that keeps what the gateway said (absl::Status has room for a
// code and a text). C++23's std::expected will take its place.
#ifndef PCAP_CLIENT_CALL_RESULT_H_
#define PCAP_CLIENT_CALL_RESULT_H_

#include <utility>
#include <variant>

#include "pcap_client/call_error.h"

namespace pcap_client {

template <typename T>
class [[nodiscard]] CallResult {
 public:
  // Implicit, so that a function can return either.
  CallResult(T value) : held_(std::in_place_index<0>, std::move(value)) {}          // NOLINT
  CallResult(CallError error) : held_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return held_.index() == 0; }

  // The answer. Throws std::bad_variant_access unless ok().
  const T& operator*() const& { return std::get<0>(held_); }
  T& operator*() & { return std::get<0>(held_); }
  T&& operator*() && { return std::get<0>(std::move(held_)); }
  const T* operator->() const { return &std::get<0>(held_); }
  T* operator->() { return &std::get<0>(held_); }

  // Why there is none. Throws std::bad_variant_access if ok().
  const CallError& error() const& { return std::get<1>(held_); }
  CallError&& error() && { return std::get<1>(std::move(held_)); }

 private:
  std::variant<T, CallError> held_;
};

}  // namespace pcap_client

#endif  // PCAP_CLIENT_CALL_RESULT_H_
