#include "service/rpc/reflection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/protobuf/descriptor.pb.h"
#include "pcap/v1/pcap_service.pb.h"

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
  ReflectTest() { pcap::v1::GetPcapRequest::descriptor(); }

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

}  // namespace
}  // namespace pcap_gateway
