// RunProgram: what the main functions of the benchmark's programs have in common.
#ifndef PCAP_GATEWAY_TESTS_BENCH_PROGRAM_H_
#define PCAP_GATEWAY_TESTS_BENCH_PROGRAM_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/functional/function_ref.h"

namespace pcap_gateway::bench {

// Runs `body`, which parses the options of `app` and returns what went wrong in the measurement;
// empty: nothing. Says that after `name`, as it does with what is thrown. Returns the exit code: 0,
// 1 for a fault, 2 for options that are none.
int RunProgram(const char* name, const CLI::App& app, absl::FunctionRef<std::string()> body);

}  // namespace pcap_gateway::bench

#endif  // PCAP_GATEWAY_TESTS_BENCH_PROGRAM_H_
