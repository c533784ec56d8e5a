// A capture that has changed, in one line; what `pcapctl watch` prints.
//
//   13:45:07  3d2b8c5f1a7e4960b1c2d3e4f5a60718  full    running             1200 packets
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_CHANGE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_CHANGE_H_

#include <string>

#include "absl/time/time.h"
#include "client/pcapctl/palette.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_client {

// Ended by a newline, with nothing in it that a terminal would act on. `now` is shown in UTC.
std::string ChangeLine(const pcap::v1::Pcap& pcap, absl::Time now,
                       const Palette& palette = Palette());

// "running, 1200 packets", "failed: the bucket could not be written to".
std::string StateText(const pcap::v1::Pcap& pcap);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_CHANGE_H_
