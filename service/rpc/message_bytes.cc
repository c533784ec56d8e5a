#include "service/rpc/message_bytes.h"

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"

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
  std::string beginning;
  {
    google::protobuf::io::StringOutputStream stream(&beginning);
    google::protobuf::io::CodedOutputStream out(&stream);
    using google::protobuf::internal::WireFormatLite;
    out.WriteTag(WireFormatLite::MakeTag(field_number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    out.WriteVarint32(static_cast<uint32_t>(bytes.size()));
  }
  auto kept = std::make_unique<std::string>(std::move(bytes));
  char* const data = kept->data();
  const size_t size = kept->size();
  const grpc::Slice slices[] = {
      grpc::Slice(beginning),
      grpc::Slice(
          data, size, [](void* string) { delete static_cast<std::string*>(string); },
          kept.release()),
      grpc::Slice(rest.SerializeAsString()),
  };
  // An empty slice would be one more to send.
  return grpc::ByteBuffer(slices, slices[2].size() > 0 ? 3 : 2);
}

}  // namespace pcap_gateway
