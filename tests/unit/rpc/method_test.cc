#include "service/rpc/method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_gateway {
namespace {

using testing::UnorderedElementsAreArray;

TEST(Methods, AreTheRpcsOfThePcapServiceEachOnce) {
  const google::protobuf::ServiceDescriptor& service =
      *pcap::v1::GetPcapRequest::descriptor()->file()->service(0);
  std::vector<std::string> rpcs;
  rpcs.reserve(static_cast<size_t>(service.method_count()));
  for (int i = 0; i < service.method_count(); ++i) {
    rpcs.push_back(absl::StrCat("/", service.full_name(), "/", service.method(i)->name()));
  }
  std::vector<std::string> paths;
  paths.reserve(Methods().size());
  for (const Method& method : Methods()) paths.emplace_back(method.path);
  EXPECT_THAT(paths, UnorderedElementsAreArray(rpcs));
}

TEST(Methods, HaveTheirPlaceInTheListAsNumber) {
  for (size_t i = 0; i < Methods().size(); ++i) EXPECT_EQ(NumberOf(Methods()[i]), i);
}

}  // namespace
}  // namespace pcap_gateway
