// How a gateway is doing, for people and for programs; what `pcapctl status` prints.
//
//   Address              127.0.0.1:50051
//   Gateway              serving
//   pcap.v1.PcapService  serving
//   Version              1.4.0
//   Uptime               3 h 12 min
//   Cache                93.1 % of 1293 calls hit; 1204 entries, 12.3 MiB of 64.0 MiB
//   …
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_STATUS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_STATUS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/pcapctl/palette.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// What grpc.health.v1 says of one service.
struct ServiceHealth {
  enum class State { kServing, kNotServing, kNotKnown, kNotThere, kNoAnswer };

  std::string service;  // "": the gateway as a whole
  State state = State::kNoAnswer;
};

struct GatewayStatus {
  std::string address;
  std::vector<ServiceHealth> services;
  // The admin port's /status.json; INVALID_ARGUMENT: it is not known where that is.
  absl::StatusOr<std::string> report;

  // Whether all services are.
  bool serving() const;
};

// False: `report` is of a gateway that listens on another port than that of `address`, which is
// HOST:PORT. Of unix:PATH nothing can be told.
bool MayBeReportOf(const std::string& address, const std::string& report);

// Lines, each ended by a newline. What the report does not hold has no line; one that is not to be
// had, or not to be understood, is one line that says why.
std::string StatusTable(const GatewayStatus& status, absl::Time now, const Palette& palette);

// One JSON object in one line, without a newline: `address`, `serving`, `services`
// (grpc.health.v1's words by service), and the report as it came, or null, as `report`.
std::string StatusJson(const GatewayStatus& status);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_STATUS_H_
