// Requests: which capture each call of a run asks for.
//
//   Requests requests({.ids = "1000", .zipf = 1.1});
//   const Request& request = requests.Next();
#ifndef PCAP_GATEWAY_TESTS_BENCH_REQUESTS_H_
#define PCAP_GATEWAY_TESTS_BENCH_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace pcap_gateway::bench {

// Of the PcapService.
std::string PathOf(const std::string& method);

struct Mix {
  std::string method = "GetPcap";  // or one whose request needs no more than the account
  std::string account_id = "023e105f4ecef8ad9ca31a8372d0c353";
  // How many capture ids to make up, or a file with one a line.
  std::string ids = "1000";
  // The number of the first made-up id: runs whose numbers do not overlap ask for other captures.
  uint64_t first = 0;
  // 0: one after the other, and over again. Else the n-th id is asked for in proportion to n^-zipf.
  double zipf = 0;
  uint64_t seed = 1;  // of the draws that `zipf` needs
};

// Lives as long as the Requests that gave it.
struct Request {
  std::string_view framed;   // the request's message with gRPC's five bytes before it
  std::string_view pcap_id;  // within that; empty: it has none
};

// Made in advance, so that a run's figures have no part in it. For one thread.
class Requests {
 public:
  // Throws std::runtime_error where there are no ids.
  explicit Requests(const Mix& mix);

  Request Next();

 private:
  struct Place {
    size_t framed;
    size_t pcap_id;
    size_t id_bytes;
  };

  // All requests in a row: a million of them are read as fast as a thousand.
  std::string bytes_;
  std::vector<Place> places_;  // in `bytes_`
  size_t next_ = 0;
  bool in_turn_;
  std::mt19937_64 random_;
  std::discrete_distribution<size_t> draw_;
};

}  // namespace pcap_gateway::bench

#endif  // PCAP_GATEWAY_TESTS_BENCH_REQUESTS_H_
