#include "service/rpc/reflection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "pcap/v1/pcap_service.pb.h"
#include "tests/unit/rpc/running_server.h"

namespace pcap_gateway {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

constexpr int kNotFound = 5;

std::vector<std::string> FileNames(const ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  return names;
}

class ReflectTest : public testing::Test {
 protected:
  // So that the file is linked in.
  ReflectTest() { (void)pcap::v1::GetPcapRequest::descriptor(); }

  ServerReflectionRequest request_;
};

TEST_F(ReflectTest, ListsTheServices) {
  request_.set_list_services("*");
  const auto response = Reflect(request_, {"a.B", "c.D"});
  ASSERT_EQ(response.list_services_response().service_size(), 2);
  EXPECT_EQ(response.list_services_response().service(1).name(), "c.D");
}

TEST_F(ReflectTest, GivesASymbolsFileWithAllItImportsEachOnce) {
  for (const char* symbol :
       {"pcap.v1.PcapService", "pcap.v1.PcapService.GetPcap", "pcap.v1.Pcap"}) {
    request_.set_file_containing_symbol(symbol);
    const auto names = FileNames(Reflect(request_, {}));
    for (const char* file : {"pcap/v1/pcap.proto", "google/protobuf/duration.proto",
                             "google/protobuf/struct.proto", "google/protobuf/timestamp.proto"}) {
      EXPECT_EQ(std::count(names.begin(), names.end(), file), 1) << symbol << " " << file;
    }
  }
}

TEST_F(ReflectTest, GivesAFileByName) {
  request_.set_file_by_filename("pcap/v1/pcap_service.proto");
  EXPECT_EQ(FileNames(Reflect(request_, {})).front(), "pcap/v1/pcap_service.proto");
}

TEST_F(ReflectTest, WhatIsUnknownIsAnErrorResponse) {
  request_.set_file_by_filename("no/such.proto");
  EXPECT_EQ(Reflect(request_, {}).error_response().error_code(), kNotFound);
  request_.set_file_containing_symbol("no.Such");
  EXPECT_EQ(Reflect(request_, {}).error_response().error_code(), kNotFound);
  request_.set_all_extension_numbers_of_type("no.Such");
  EXPECT_EQ(Reflect(request_, {}).error_response().error_code(), kNotFound);
  request_.mutable_file_containing_extension()->set_containing_type("pcap.v1.Pcap");
  request_.mutable_file_containing_extension()->set_extension_number(1);
  EXPECT_EQ(Reflect(request_, {}).error_response().error_code(), kNotFound);
  EXPECT_NE(Reflect(ServerReflectionRequest(), {}).error_response().error_code(), 0);
}

TEST_F(ReflectTest, ATypeWithoutExtensionsHasAnEmptyListOfThem) {
  request_.set_all_extension_numbers_of_type("pcap.v1.Pcap");
  const auto response = Reflect(request_, {});
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(), "pcap.v1.Pcap");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(), 0);
}

TEST_F(ReflectTest, RepeatsTheRequest) {
  request_.set_host("h");
  request_.set_list_services("*");
  EXPECT_EQ(Reflect(request_, {}).original_request().SerializeAsString(),
            request_.SerializeAsString());
}

// Both versions, each by its own stub.
template <typename Service, typename Request, typename Response>
struct Version {
  using Stub = typename Service::Stub;
  using RequestType = Request;
  using ResponseType = Response;
  static std::unique_ptr<Stub> NewStub(const std::shared_ptr<grpc::Channel>& channel) {
    return Service::NewStub(channel);
  }
  static std::string Path() {
    return std::string("/") + Service::service_full_name() + "/ServerReflectionInfo";
  }
};

using V1 = Version<grpc::reflection::v1::ServerReflection, ServerReflectionRequest,
                   ServerReflectionResponse>;
using V1Alpha = Version<grpc::reflection::v1alpha::ServerReflection,
                        grpc::reflection::v1alpha::ServerReflectionRequest,
                        grpc::reflection::v1alpha::ServerReflectionResponse>;

template <typename Version>
class ReflectionTest : public testing::Test {
 protected:
  using Request = typename Version::RequestType;
  using Response = typename Version::ResponseType;

  ReflectionTest() {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }

  void Open(RunningServer& server) {
    stub_ = Version::NewStub(server.channel());
    stream_ = stub_->ServerReflectionInfo(&context_);
  }

  Response Ask(const Request& request) {
    Response response;
    EXPECT_TRUE(stream_->Write(request));
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }

  Request Symbol(const std::string& name) {
    Request request;
    request.set_file_containing_symbol(name);
    return request;
  }

  grpc::ClientContext context_;
  std::unique_ptr<typename Version::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
};

using Versions = testing::Types<V1, V1Alpha>;
TYPED_TEST_SUITE(ReflectionTest, Versions);

TYPED_TEST(ReflectionTest, AnswersAllRequestsOfAStreamInOrder) {
  RunningServer server;
  this->Open(server);
  typename TypeParam::RequestType list;
  list.set_list_services("*");
  const auto listed = this->Ask(list);
  std::vector<std::string> names;
  for (const auto& service : listed.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre(
                         "pcap.v1.PcapService", "pcap.v1.PcapOwnershipService",
                         "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                         "grpc.reflection.v1alpha.ServerReflection"));
  for (const std::string& name : names) {
    const auto response = this->Ask(this->Symbol(name));
    EXPECT_GE(response.file_descriptor_response().file_descriptor_proto_size(), 1) << name;
    EXPECT_EQ(response.original_request().file_containing_symbol(), name);
  }
  EXPECT_EQ(this->Ask(this->Symbol("no.Such")).error_response().error_code(), kNotFound);
  EXPECT_TRUE(this->stream_->WritesDone());
  EXPECT_TRUE(this->stream_->Finish().ok());
}

TYPED_TEST(ReflectionTest, IsUnimplementedWhereItIsOff) {
  RunningServer server(/*reflection=*/false);
  this->Open(server);
  EXPECT_EQ(this->stream_->Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TYPED_TEST(ReflectionTest, BytesThatAreNoRequestAreAnInvalidArgument) {
  RunningServer server;
  RawCall call(server.channel(), TypeParam::Path());
  ASSERT_TRUE(call.Write(MalformedBytes()));
  EXPECT_FALSE(call.Read());
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  this->Open(server);
  this->Ask(this->Symbol("pcap.v1.Pcap"));
}

TYPED_TEST(ReflectionTest, ADrainEndsItsStreams) {
  RunningServer server;
  this->Open(server);
  this->Ask(this->Symbol("pcap.v1.Pcap"));
  // In the lame duck time it still answers.
  server.Drain([&] { this->Ask(this->Symbol("pcap.v1.Pcap")); });
  const grpc::Status end = this->stream_->Finish();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(end.error_message(), "the server is shutting down");
}

TYPED_TEST(ReflectionTest, AServerMayBeDestroyedUnderItsStreams) {
  RunningServer server;
  this->Open(server);
  this->Ask(this->Symbol("pcap.v1.Pcap"));
  server.Destroy();
  EXPECT_FALSE(this->stream_->Finish().ok());
}

// What it asks for is not even read any more, so nothing piles up; nor does it hold up the end.
TYPED_TEST(ReflectionTest, AClientThatDoesNotReadIsNotAnswered) {
  RunningServer server;
  typename TypeParam::RequestType request;
  request.set_host(std::string(60'000, 'x'));
  request.set_file_containing_symbol("no.Such");
  const std::string bytes = request.SerializeAsString();
  RawCall call(server.channel(), TypeParam::Path());
  int written = 0;
  // 300 MB, if all of it was taken.
  while (written < 5000 && call.WriteWithin(std::chrono::seconds(1), bytes)) ++written;
  EXPECT_LT(written, 5000);
  server.Drain();
}

}  // namespace
}  // namespace pcap_gateway
