// Messages as the bytes that gRPC sends and gets.
#ifndef PCAP_GATEWAY_SERVICE_RPC_MESSAGE_BYTES_H_
#define PCAP_GATEWAY_SERVICE_RPC_MESSAGE_BYTES_H_

#include <grpcpp/support/byte_buffer.h>

#include "google/protobuf/message_lite.h"

namespace pcap_gateway {

// False: the bytes are no such message.
bool ParseBytes(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message);

grpc::ByteBuffer BytesOf(const google::protobuf::MessageLite& message);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_MESSAGE_BYTES_H_
