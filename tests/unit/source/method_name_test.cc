#include "service/source/method_name.h"

#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

TEST(MethodNameOf, APathIsServiceAndMethod) {
  const MethodName name = MethodNameOf("/pcap.v1.PcapService/GetPcap");
  EXPECT_EQ(name.service, "pcap.v1.PcapService");
  EXPECT_EQ(name.method, "GetPcap");
  EXPECT_EQ(MethodNameOf("GetPcap").service, "");
  EXPECT_EQ(MethodNameOf("GetPcap").method, "GetPcap");
}

}  // namespace
}  // namespace pcap_gateway
