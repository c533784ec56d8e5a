#include "tests/bench/program.h"

#include <cstdio>
#include <exception>

namespace pcap_gateway::bench {

int RunProgram(const char* name, const CLI::App& app, absl::FunctionRef<std::string()> body) {
  std::string fault;
  try {
    fault = body();
    if (fault.empty()) return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    fault = error.what();
  }
  fprintf(stderr, "%s: %s\n", name, fault.c_str());
  return 1;
}

}  // namespace pcap_gateway::bench
