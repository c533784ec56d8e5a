#include "client/pcapctl/byte_count.h"

#include <gtest/gtest.h>

namespace pcap_client {
namespace {

TEST(ByteCount, HasOneDecimalThatIsCutOff) {
  EXPECT_EQ(ByteCount(1234), "1.2 kB");
  EXPECT_EQ(ByteCount(5'600'000), "5.6 MB");
  EXPECT_EQ(ByteCount(1'999), "1.9 kB");
  EXPECT_EQ(ByteCount(7'000'000'000'000), "7.0 TB");
}

TEST(ByteCount, TellsFewBytesInFull) {
  EXPECT_EQ(ByteCount(0), "0 bytes");
  EXPECT_EQ(ByteCount(1), "1 byte");
  EXPECT_EQ(ByteCount(999), "999 bytes");
}

}  // namespace
}  // namespace pcap_client
