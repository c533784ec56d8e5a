// What is done when a signal ends the program: Ctrl-C, SIGTERM, SIGHUP.
//
//   OnSignal::Remove(path);           // a file that is not whole yet
//   OnSignal::Say("it goes on …\n");
//
// The program ends by the signal all the same, so that a shell sees it.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_ON_SIGNAL_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_ON_SIGNAL_H_

#include <string>

namespace pcap_client {

// For the main thread.
class OnSignal {
 public:
  // The file at `path` is removed; one at a time. Empty: none is any more.
  static void Remove(const std::string& path);

  // `text` is written to stderr; at most 1,000 bytes of it. Empty: nothing is any more.
  static void Say(const std::string& text);
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_ON_SIGNAL_H_
