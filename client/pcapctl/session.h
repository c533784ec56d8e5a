// Session: what a command needs to ask a gateway, from the command line, the environment and the
// context.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_SESSION_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_SESSION_H_

#include <functional>
#include <string>

#include "client/pcapctl/arguments.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/settings.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

struct Session {
  const PcapClient& client;
  const ClientOptions& options;   // the client's
  const Settings& settings;       // the command line's, and what it leaves to others
  const CallOptions& call;        // of each call: with the caller's token
  const std::string& account_id;  // folded; empty: the gateway's own
  const Console& console;
};

// The command line's settings, the rest from the context, the rest from the defaults; the exit code
// where they cannot be had, which has been told.
struct SettingsOrExit {
  Settings settings;
  int exit_code = 0;
};
SettingsOrExit SettingsOf(const Arguments& arguments);

// kOfEachCall: --timeout is the deadline of each call. kOfTheCommand: the command's own; its calls
// have the context's.
enum class TimeoutIs { kOfEachCall, kOfTheCommand };

// Runs `command`, and returns its exit code; or says on stderr what cannot work, and returns the
// exit code of that. The session is there until `command` returns.
int WithSession(const Arguments& arguments, TimeoutIs timeout,
                const std::function<int(const Session&)>& command);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_SESSION_H_
