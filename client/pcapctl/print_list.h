// Several captures, one line each; what `pcapctl get` prints for more than one.
//
//   ID                                FORM    STATUS    AGE  PACKETS  DATA CENTER
//   3d2b8c5f1a7e4960b1c2d3e4f5a60718  full    complete  5 d  12000    ord02
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_LIST_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_LIST_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/pcapctl/palette.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// One that was asked for.
struct PcapRow {
  std::string id;
  const GetPcapAnswer* answer = nullptr;  // nullptr: there is none
  std::string error;                      // why not, in a word or two
};

// kWide: with the times and limits in full, and reasons uncut.
enum class ListWidth { kUsual, kWide };

// Lines, each ended by a newline, with nothing in them that a terminal would act on; "-" where a
// field is absent. Where some capture or call failed, a last column says why.
std::string PcapList(const std::vector<PcapRow>& rows, ListWidth width, absl::Time now,
                     const Palette& palette = Palette());

// The status of either form; PCAP_STATUS_UNSPECIFIED where there is neither, or it says none.
pcap::v1::PcapStatus StatusOf(const pcap::v1::Pcap& pcap);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_LIST_H_
