#include "service/rpc/reflection.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "service/rpc/message_bytes.h"

namespace pcap_gateway {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

void SetNotFound(ServerReflectionResponse& response) {
  response.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
  response.mutable_error_response()->set_error_message("no such file, symbol or extension");
}

// The file and all that it imports, each once.
void AddFile(const FileDescriptor& file, std::set<const FileDescriptor*>& added,
             ServerReflectionResponse& response) {
  if (!added.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), added, response);
}

void SetFile(const FileDescriptor* file, ServerReflectionResponse& response) {
  if (file == nullptr) return SetNotFound(response);
  std::set<const FileDescriptor*> added;
  AddFile(*file, added, response);
}

const FileDescriptor* FileOfExtension(const std::string& type, int number) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const auto* const message = pool.FindMessageTypeByName(type);
  if (message == nullptr) return nullptr;
  const FieldDescriptor* const extension = pool.FindExtensionByNumber(message, number);
  return extension == nullptr ? nullptr : extension->file();
}

void SetExtensionNumbers(const std::string& type, ServerReflectionResponse& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const auto* const message = pool.FindMessageTypeByName(type);
  if (message == nullptr) return SetNotFound(response);
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(message, &extensions);
  auto& numbers = *response.mutable_all_extension_numbers_response();
  numbers.set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    numbers.add_extension_number(extension->number());
  }
}

// Reads, answers, reads again: a peer that does not read its answers gets no further ones made.
class ServerReflectionInfo final : public StreamHandler {
 public:
  ServerReflectionInfo(const std::vector<std::string>& services, Stream& stream)
      : services_(services), stream_(stream) {}

  void Receive(const grpc::ByteBuffer& message) override {
    ServerReflectionRequest request;
    if (!ParseBytes(message, request)) {
      return stream_.Finish({grpc::StatusCode::INVALID_ARGUMENT,
                             "the request is not a valid ServerReflectionRequest"});
    }
    stream_.Write(BytesOf(Reflect(request, services_)));
  }

  void ReceiveEnd() override { stream_.Finish(grpc::Status::OK); }
  void Sent() override { stream_.Read(); }

 private:
  const std::vector<std::string>& services_;
  Stream& stream_;
};

}  // namespace

ServerReflectionResponse Reflect(const ServerReflectionRequest& request,
                                 const std::vector<std::string>& services) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      SetFile(pool.FindFileByName(request.file_by_filename()), response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      SetFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), response);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      SetFile(FileOfExtension(request.file_containing_extension().containing_type(),
                              request.file_containing_extension().extension_number()),
              response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      SetExtensionNumbers(request.all_extension_numbers_of_type(), response);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& service : services) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      response.mutable_error_response()->set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
      response.mutable_error_response()->set_error_message("the request asks for nothing");
      break;
  }
  return response;
}

std::vector<std::string> ReflectionServices() {
  // From the descriptors, so that they are linked in.
  return {std::string(ServerReflectionRequest::descriptor()->file()->service(0)->full_name()),
          std::string(grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()
                          ->file()
                          ->service(0)
                          ->full_name())};
}

void AddReflectionMethods(const std::vector<std::string>& services, StreamMethods& methods) {
  for (const std::string& service : ReflectionServices()) {
    methods[absl::StrCat("/", service, "/ServerReflectionInfo")] = [&services](Stream& stream) {
      return std::make_unique<ServerReflectionInfo>(services, stream);
    };
  }
}

}  // namespace pcap_gateway
