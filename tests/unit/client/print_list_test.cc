#include "client/pcapctl/print_list.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(PcapList({&full, &simple, &neither}),
            "ID                                FORM       STATUS              SUBMITTED"
            "             PACKETS  DATA CENTER\n"
            "3d2b8c5f1a7e4960b1c2d3e4f5a60718  full       conversion_running  "
            "2023-11-14T22:13:20Z  12       ord\\x1b[2J\n"
            "00                                simple     -                   -"
            "                     -        -\n"
            "-                                 not known  -                   -"
            "                     -        -\n");
}

TEST(PcapList, ColoursDoNotMoveTheColumns) {
  GetPcapAnswer answer;
  auto& form = *answer.response.mutable_pcap()->mutable_simple();
  form.set_id("00");
  form.set_status(pcap::v1::PCAP_STATUS_FAILED);
  EXPECT_EQ(PcapList({&answer}, Palette(true)),
            "\x1b[2mID\x1b[0m  \x1b[2mFORM\x1b[0m    \x1b[2mSTATUS\x1b[0m  \x1b[2mSUBMITTED\x1b[0m"
            "  \x1b[2mPACKETS\x1b[0m  \x1b[2mDATA CENTER\x1b[0m\n"
            "00  simple  \x1b[31mfailed\x1b[0m  -          -        -\n");
}

}  // namespace
}  // namespace pcap_client
