// How an answer is printed.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_OUTPUT_FORMAT_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_OUTPUT_FORMAT_H_

namespace pcap_client {

enum class OutputFormat { kTable, kWide, kJson, kJsonl, kYaml, kName };

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_OUTPUT_FORMAT_H_
