// A policy file: refused, or one that lets nobody through whom no rule of it names.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "service/access/policy.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  const std::string text(TextOf(data, size));
  const auto policy = Policy::Parse(text);
  if (!policy.ok()) {
    Require(!policy.status().message().empty(), "it says why");
    for (const char c : policy.status().message()) {
      Require(static_cast<unsigned char>(c) >= ' ', "in one line");
    }
    return 0;
  }
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  Require(json.is_object() && json.contains("allow_rules") && !json["allow_rules"].empty(),
          "a policy is JSON and allows something");
  const auto none = [](absl::string_view) { return std::vector<absl::string_view>(); };
  const Principals nobody;
  const CallFacts call{
      .principals = nobody, .path = "/pcap.v1.PcapService/GetPcap", .header = none};
  bool anybody = false;  // a rule that needs neither a certificate nor a header
  for (const auto& rule : json["allow_rules"]) {
    const bool names = rule.contains("source") && rule["source"].contains("principals");
    const bool headers = rule.contains("request") && rule["request"].contains("headers");
    anybody |= !names && !headers;
  }
  Require(anybody || !(*policy)->Permits(call), "nobody is let through by a rule for somebody");
  if (json.contains("account_rules")) {
    Require(!(*policy)->MayAsk(nobody, Id()), "an account is given to principals alone");
  }
  return 0;
}
