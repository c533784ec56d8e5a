#include "client/pcapctl/print_list.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/time/clock.h"

namespace pcap_client {
namespace {

TEST(PcapList, HasALineForEachCapture) {
  GetPcapAnswer full;
  auto& form = *full.response.mutable_pcap()->mutable_full();
  form.set_id("3d2b8c5f1a7e4960b1c2d3e4f5a60718");
  form.set_status(pcap::v1::PCAP_STATUS_CONVERSION_RUNNING);
  form.mutable_submitted()->set_seconds(1'700'000'000);
  form.set_packets_captured(12);
  form.set_colo_name("ord\x1b[2J");
  GetPcapAnswer simple;
  simple.response.mutable_pcap()->mutable_simple()->set_id("00");
  const GetPcapAnswer neither;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000) + absl::Hours(50);
  EXPECT_EQ(
      PcapList({{"a", &full}, {"b", &simple}, {"c", &neither}}, ListWidth::kUsual, now),
      "ID                                FORM       STATUS              AGE  PACKETS  DATA CENTER\n"
      "3d2b8c5f1a7e4960b1c2d3e4f5a60718  full       conversion_running  2 d  12       ord\\x1b[2J\n"
      "00                                simple     -                   -    -        -\n"
      "c                                 not known  -                   -    -        -\n");
}

TEST(PcapList, SaysWhyARowFailed) {
  GetPcapAnswer failed;
  auto& form = *failed.response.mutable_pcap()->mutable_full();
  form.set_status(pcap::v1::PCAP_STATUS_FAILED);
  form.set_error_message(std::string(50, 'x') + " no such bucket");
  const std::vector<PcapRow> rows = {{"a", &failed}, {"b", nullptr, "PCAP_NOT_FOUND"}};
  const std::string usual = PcapList(rows, ListWidth::kUsual, absl::Now());
  EXPECT_NE(usual.find(" no such …\n"), std::string::npos) << usual;
  EXPECT_NE(usual.find("PCAP_NOT_FOUND\n"), std::string::npos) << usual;
  const std::string wide = PcapList(rows, ListWidth::kWide, absl::Now());
  EXPECT_NE(wide.find(" no such bucket\n"), std::string::npos) << wide;
}

TEST(PcapList, ColoursDoNotMoveTheColumns) {
  GetPcapAnswer answer;
  auto& form = *answer.response.mutable_pcap()->mutable_simple();
  form.set_id("00");
  form.set_status(pcap::v1::PCAP_STATUS_FAILED);
  EXPECT_EQ(PcapList({{"00", &answer}}, ListWidth::kUsual, absl::Now(), Palette(true)),
            "\x1b[2mID\x1b[0m  \x1b[2mFORM\x1b[0m    \x1b[2mSTATUS\x1b[0m  \x1b[2mAGE\x1b[0m"
            "  \x1b[2mPACKETS\x1b[0m  \x1b[2mDATA CENTER\x1b[0m\n"
            "00  simple  \x1b[31mfailed\x1b[0m  -    -        -\n");
}

}  // namespace
}  // namespace pcap_client
