#include "tests/bench/requests.h"

#include <cmath>
#include <fstream>
#include <stdexcept>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pcap/v1/pcap_service.pb.h"
#include "tests/bench/grpc_connection.h"

namespace pcap_gateway::bench {
namespace {

// Ids that look as random as Cloudflare's, and are the same in each run.
std::string NthId(uint64_t n) {
  const auto mixed = [](uint64_t value) {  // one step of SplitMix64
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  };
  return absl::StrCat(absl::Hex(mixed(2 * n), absl::kZeroPad16),
                      absl::Hex(mixed(2 * n + 1), absl::kZeroPad16));
}

std::vector<std::string> IdsOf(const Mix& mix) {
  std::vector<std::string> ids;
  if (uint64_t count = 0; absl::SimpleAtoi(mix.ids, &count)) {
    ids.reserve(count);
    for (uint64_t n = 0; n < count; ++n) ids.push_back(NthId(mix.first + n));
  } else {
    std::ifstream file(mix.ids);
    for (std::string line; std::getline(file, line);) {
      absl::StripAsciiWhitespace(&line);
      if (!line.empty()) ids.push_back(line);
    }
  }
  if (ids.empty()) throw std::runtime_error("no capture ids in " + mix.ids);
  return ids;
}

std::vector<double> ZipfWeights(size_t count, double exponent) {
  std::vector<double> weights;
  weights.reserve(count);
  for (size_t n = 1; n <= count; ++n) weights.push_back(std::pow(n, -exponent));
  return weights;
}

}  // namespace

std::string PathOf(const std::string& method) {
  return absl::StrCat("/pcap.v1.PcapService/", method);
}

Requests::Requests(const Mix& mix) : in_turn_(mix.zipf == 0), random_(mix.seed) {
  // `account_id` is field 1 of all requests.
  pcap::v1::GetPcapRequest message;
  message.set_account_id(mix.account_id);
  if (mix.method != "GetPcap") {
    bytes_ = Framed(message.SerializeAsString());
    places_.push_back({0, 0, 0});
    return;
  }
  for (const std::string& id : IdsOf(mix)) {
    message.set_pcap_id(id);
    const std::string framed = Framed(message.SerializeAsString());
    places_.push_back({bytes_.size(), bytes_.size() + framed.rfind(id), id.size()});
    bytes_ += framed;
  }
  if (in_turn_) return;
  const std::vector<double> weights = ZipfWeights(places_.size(), mix.zipf);
  draw_ = std::discrete_distribution<size_t>(weights.begin(), weights.end());
}

Request Requests::Next() {
  size_t number = next_;
  if (in_turn_) {
    next_ = next_ + 1 == places_.size() ? 0 : next_ + 1;
  } else {
    number = draw_(random_);
  }
  const Place& place = places_[number];
  const size_t end = number + 1 == places_.size() ? bytes_.size() : places_[number + 1].framed;
  const std::string_view bytes = bytes_;
  return {bytes.substr(place.framed, end - place.framed),
          bytes.substr(place.pcap_id, place.id_bytes)};
}

}  // namespace pcap_gateway::bench
