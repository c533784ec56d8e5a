// Runs a program and tells what it printed and how it ended.
#ifndef PCAP_GATEWAY_TESTS_UNIT_CLIENT_RUN_PROGRAM_H_
#define PCAP_GATEWAY_TESTS_UNIT_CLIENT_RUN_PROGRAM_H_

#include <string>
#include <vector>

namespace pcap_client {

struct ProgramRun {
  int exit_code;  // -1: it did not exit by itself
  std::string out;
  std::string err;
};

// `path` with `arguments`, and nothing in its environment but `environment` ("NAME=value").
// `stdout_path`: where its stdout goes, instead of into `out`.
ProgramRun RunProgram(const std::string& path, std::vector<std::string> arguments,
                      std::vector<std::string> environment = {},
                      const std::string& stdout_path = "");

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_TESTS_UNIT_CLIENT_RUN_PROGRAM_H_
