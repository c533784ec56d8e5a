// Buckets that full captures are written to, for people and for programs; what `pcapctl buckets`
// prints.
//
//   ID                                STATUS   AGE   BUCKET                          FILE
//   9883874ecac311ec8475433579a6bf5f  success  23 d  s3://captures?region=us-east-1  ownership-…
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_BUCKETS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_BUCKETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/pcapctl/output_format.h"
#include "client/pcapctl/palette.h"
#include "pcap/v1/pcap_ownership_service.pb.h"

namespace pcap_client {

// kTable and kWide: a line each, or one as a table if `is_list` is false. kJson: an array, or an
// object. kJsonl and kName: a line each. kYaml: a document each. An element of the JSON is
// {"ownership": …}.
absl::StatusOr<std::string> BucketsText(const std::vector<pcap::v1::Ownership>& ownerships,
                                        bool is_list, OutputFormat format, absl::Time now,
                                        const Palette& palette);

// "pending", as Cloudflare spells it; its number if this version does not know it.
std::string OwnershipStatusText(pcap::v1::OwnershipStatus status);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_BUCKETS_H_
