// Messages as the bytes that gRPC sends and gets.
#ifndef PCAP_GATEWAY_SERVICE_RPC_MESSAGE_BYTES_H_
#define PCAP_GATEWAY_SERVICE_RPC_MESSAGE_BYTES_H_

#include <grpcpp/support/byte_buffer.h>

#include <string>

#include "google/protobuf/message_lite.h"

namespace pcap_gateway {

// False: the bytes are no such message.
bool ParseBytes(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message);

grpc::ByteBuffer BytesOf(const google::protobuf::MessageLite& message);

// Of a message whose field with this number is the `bytes`, which are not copied, and whose other
// fields are those of `rest`.
grpc::ByteBuffer BytesOf(int field_number, std::string bytes,
                         const google::protobuf::MessageLite& rest);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_MESSAGE_BYTES_H_
