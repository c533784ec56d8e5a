// What all calls of the client library share: how they begin, and what is made of how they end.
#ifndef PCAP_GATEWAY_CLIENT_CALL_H_
#define PCAP_GATEWAY_CLIENT_CALL_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>

#include "pcap_client/pcap_client.h"

namespace pcap_client {

CallError InvalidCall(std::string message);

// What is wrong with the texts of `request`, as far as it must be known here: bytes that are not
// UTF-8 would be refused by protobuf, with an error that names no field. The gateway checks the
// rest.
std::optional<CallError> WhatIsWrongWith(const google::protobuf::Message& request);

// Readies `context` for one call, or says why the call cannot be made. `timeout`: where `call` says
// none.
std::optional<CallError> Prepare(absl::Duration timeout, const CallOptions& call,
                                 grpc::ClientContext& context);

// Of a call on `channel` that has ended with `status`.
CallError CallErrorOf(const grpc::Status& status, const grpc::ClientContext& context,
                      grpc::Channel& channel);

// Of a call that has ended.
AnswerInfo AnswerInfoOf(const grpc::ClientContext& context);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_CALL_H_
