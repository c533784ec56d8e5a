// What the two forms of a capture have in common.
#ifndef PCAP_CLIENT_PCAP_ID_H_
#define PCAP_CLIENT_PCAP_ID_H_

#include <string>

#include "pcap/v1/pcap.pb.h"

namespace pcap_client {

// The id of a capture of either form, or of none that the gateway knows. Empty: it says none.
std::string IdOf(const pcap::v1::Pcap& pcap);

}  // namespace pcap_client

#endif  // PCAP_CLIENT_PCAP_ID_H_
