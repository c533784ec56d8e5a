#include "client/call.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/metadata_entry.h"
#include "client/status_details.h"

namespace pcap_client {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The response metadata `key`; empty if there is none. `context` of a call that has ended.
std::string ResponseMetadata(const grpc::ClientContext& context, const char* key) {
  for (const auto* metadata :
       {&context.GetServerInitialMetadata(), &context.GetServerTrailingMetadata()}) {
    const auto found = metadata->find(key);
    if (found != metadata->end()) return {found->second.data(), found->second.size()};
  }
  return "";
}

absl::StatusCode CodeOf(grpc::StatusCode code) {
  // The same numbers, by Abseil's promise.
  if (code > grpc::StatusCode::OK && code <= grpc::StatusCode::UNAUTHENTICATED) {
    return static_cast<absl::StatusCode>(code);
  }
  return absl::StatusCode::kUnknown;
}

// Of a call on `channel` that has ended so. Whoever said more than a code was reached.
bool HadNoConnection(const grpc::Status& status, grpc::Channel& channel) {
  const bool may_be = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return may_be && status.error_details().empty() &&
         channel.GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY;
}

// The path of the first text in `message` that is no UTF-8, as the proto has it; empty: all are.
std::string FirstThatIsNoUtf8(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* const field : fields) {
    std::string scratch;
    if (field->is_repeated()) {
      // Of messages there are none in a request.
      const bool is_text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
      for (int i = 0; is_text && i < reflection.FieldSize(message, field); ++i) {
        if (IsUtf8(reflection.GetRepeatedStringReference(message, field, i, &scratch))) continue;
        return absl::StrCat(field->name(), "[", i, "]");
      }
      continue;
    }
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
        !IsUtf8(reflection.GetStringReference(message, field, &scratch))) {
      return std::string(field->name());
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const std::string inner = FirstThatIsNoUtf8(reflection.GetMessage(message, field));
    if (!inner.empty()) return absl::StrCat(field->name(), ".", inner);
  }
  return "";
}

}  // namespace

CallError InvalidCall(std::string message) {
  return {.code = absl::StatusCode::kInvalidArgument, .message = std::move(message)};
}

std::optional<CallError> WhatIsWrongWith(const Message& request) {
  std::string field = FirstThatIsNoUtf8(request);
  if (field.empty()) return std::nullopt;
  CallError error = InvalidCall(absl::StrCat(field, " has bytes that are not UTF-8"));
  error.field_violations.push_back({std::move(field), "has bytes that are not UTF-8"});
  return error;
}

std::optional<CallError> Prepare(absl::Duration timeout, const CallOptions& call,
                                 grpc::ClientContext& context) {
  timeout = call.timeout.value_or(timeout);
  if (timeout <= absl::ZeroDuration()) return InvalidCall("timeout must be more than 0");
  const absl::Time deadline = absl::Now() + timeout;
  if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
  for (const auto& [key, value] : call.metadata) {
    std::string wrong = WhatIsWrongWithEntry(key, value);
    if (!wrong.empty()) return InvalidCall(std::move(wrong));
    context.AddMetadata(key, value);
  }
  return std::nullopt;
}

CallError CallErrorOf(const grpc::Status& status, const grpc::ClientContext& context,
                      grpc::Channel& channel) {
  CallError error{.code = CodeOf(status.error_code()),
                  .message = status.error_message(),
                  .request_id = ResponseMetadata(context, "x-request-id"),
                  .cf_ray = ResponseMetadata(context, "cf-ray")};
  ReadStatusDetails(status.error_details(), error);
  error.no_connection = HadNoConnection(status, channel);
  if (error.no_connection && error.code == absl::StatusCode::kDeadlineExceeded) {
    error.message = "there was no connection to the gateway in time";
  }
  return error;
}

AnswerInfo AnswerInfoOf(const grpc::ClientContext& context) {
  AnswerInfo info{.cache_status = ResponseMetadata(context, "cache-status"),
                  .request_id = ResponseMetadata(context, "x-request-id"),
                  .cf_ray = ResponseMetadata(context, "cf-ray")};
  uint32_t seconds = 0;
  if (absl::SimpleAtoi(ResponseMetadata(context, "age"), &seconds)) {
    info.age = absl::Seconds(seconds);
  }
  return info;
}

}  // namespace pcap_client
