#include "service/rpc/message_bytes.h"

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "google/protobuf/io/coded_stream.h"

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

grpc::ByteBuffer BytesOf(int field_number, std::string bytes,
                         const google::protobuf::MessageLite& rest) {
  using google::protobuf::io::CodedOutputStream;
  constexpr uint32_t kLengthDelimited = 2;  // of the wire format
  uint8_t beginning[10];                    // two varints
  uint8_t* end = CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(field_number) << 3 | kLengthDelimited, beginning);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(bytes.size()), end);
  auto kept = std::make_unique<std::string>(std::move(bytes));
  char* const data = kept->data();
  const size_t size = kept->size();
  const grpc::Slice slices[] = {
      grpc::Slice(beginning, static_cast<size_t>(end - beginning)),
      grpc::Slice(
          data, size, [](void* string) { delete static_cast<std::string*>(string); },
          kept.release()),
      grpc::Slice(rest.SerializeAsString()),
  };
  // An empty slice would be one more to send.
  return grpc::ByteBuffer(slices, slices[2].size() > 0 ? 3 : 2);
}

}  // namespace pcap_gateway
