// Which request metadata, and which texts, may be handed to gRPC. gRPC 1.51 ends the process on an
// invalid entry (grpc/grpc#22102), so every entry is looked at first. Pure.
#ifndef PCAP_GATEWAY_CLIENT_METADATA_ENTRY_H_
#define PCAP_GATEWAY_CLIENT_METADATA_ENTRY_H_

#include <string>

#include "absl/strings/string_view.h"

namespace pcap_client {

// Only bytes 0x20 to 0x7E.
bool IsPrintableAscii(absl::string_view text);

// Whether a proto's string can hold it: UTF-8, without surrogates and longer forms than needed.
bool IsUtf8(absl::string_view text);

// Empty if the entry may be sent; otherwise what is wrong with it. The value is not repeated there:
// it may be a credential.
std::string WhatIsWrongWithEntry(absl::string_view key, absl::string_view value);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_METADATA_ENTRY_H_
