#include "service/rpc/method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pcap/v1/pcap_ownership_service.pb.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_gateway {
namespace {

using testing::UnorderedElementsAreArray;

TEST(Methods, AreTheRpcsOfTheServicesEachOnce) {
  std::vector<std::string> rpcs;
  for (const auto* const service :
       {pcap::v1::GetPcapRequest::descriptor()->file()->service(0),
        pcap::v1::ListOwnershipsRequest::descriptor()->file()->service(0)}) {
    for (int i = 0; i < service->method_count(); ++i) {
      rpcs.push_back(absl::StrCat("/", service->full_name(), "/", service->method(i)->name()));
    }
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
