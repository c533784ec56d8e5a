// A capture as a table for people; what `pcapctl get` prints.
//
//   Id                     3d2b8c5f1a7e4960b1c2d3e4f5a60718
//   Form                   full
//   Status                 complete
//   …
//   Filter
//     Destination port     443
//     Protocol             6 (TCP)
//   Cache                  pcap-gateway; hit; ttl=27; age 3 s
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_TABLE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_TABLE_H_

#include <string>

#include "absl/time/time.h"
#include "client/pcapctl/palette.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// Lines, each ended by a newline, with nothing in them that a terminal would act on. A field that
// is absent has no line; an empty string shows as "". Times are RFC 3339, in
// UTC, with their age at `now`.
std::string PcapTable(const GetPcapAnswer& answer, absl::Time now,
                      const Palette& palette = Palette());

// A status as Cloudflare spells it, "conversion_running"; its number if this version does not know
// it.
std::string StatusText(pcap::v1::PcapStatus status);

// RFC 3339, in UTC.
std::string TimeText(const google::protobuf::Timestamp& time);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_TABLE_H_
