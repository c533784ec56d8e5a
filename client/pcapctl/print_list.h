// Several captures, one line each; what `pcapctl get` prints for more than one.
//
//   ID                                FORM    STATUS    SUBMITTED             PACKETS  DATA CENTER
//   3d2b8c5f1a7e4960b1c2d3e4f5a60718  full    complete  2026-11-23T05:14:43Z  12000    ord02
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_LIST_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_LIST_H_

#include <string>
#include <vector>

#include "client/pcapctl/palette.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// Lines, each ended by a newline, with nothing in them that a terminal would act on; "-" where a
// field is absent.
std::string PcapList(const std::vector<const GetPcapAnswer*>& answers,
                     const Palette& palette = Palette());

// The status of either form; PCAP_STATUS_UNSPECIFIED where there is neither, or it says none.
pcap::v1::PcapStatus StatusOf(const pcap::v1::Pcap& pcap);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_LIST_H_
