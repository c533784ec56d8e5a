#include "service/rpc/message_bytes.h"

#include <grpcpp/grpcpp.h>

namespace pcap_gateway {

bool ParseBytes(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message) {
  // Requests are small and come in one slice; one that came in more is put together first.
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) return false;
  return message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

grpc::ByteBuffer BytesOf(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace pcap_gateway
