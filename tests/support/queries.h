// Queries for tests: by small numbers instead of ids of 32 digits.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_QUERIES_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_QUERIES_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "service/source/query.h"

namespace pcap_gateway {

inline Id NumberedId(int number) { return *Id::Parse(absl::StrFormat("%032x", number)); }

inline const Endpoint& TestEndpoint() {
  static const Endpoint endpoint{
      .name = "Test",
      .number = 200,
      .method = "GET",
      .effect = Effect::kReads,
      .not_found = Reason::kPcapNotFound,
      .target = [](const Query& query) { return "/" + query.resource.ToString(); },
      .parse =
          [](const Query&, const HttpAnswer& answer, const ParseOptions&) {
            Outcome outcome;
            outcome.message = answer.body;
            return outcome;
          },
  };
  return endpoint;
}

// Writes the resource: what is known of that is outdated.
inline const Endpoint& WritingEndpoint() {
  static const Endpoint endpoint = [] {
    Endpoint made = TestEndpoint();
    made.name = "Write";
    made.number = 201;
    made.method = "POST";
    made.effect = Effect::kWritesOnce;
    made.outdates = [](const Query& query) -> std::vector<Subject> {
      return {{query.account, query.resource, TestEndpoint().number}};
    };
    return made;
  }();
  return endpoint;
}

inline std::shared_ptr<const Credential> TestCredential(
    const std::string& token = "test-token",
    Credential::Owner owner = Credential::Owner::kGateway) {
  return *Credential::FromToken(owner, token);
}

inline Query QueryFor(int resource, absl::Duration max_age = absl::InfiniteDuration()) {
  static const auto credential = TestCredential();
  Query query;
  query.endpoint = &TestEndpoint();
  query.credential = credential;
  query.account = NumberedId(1);
  query.resource = NumberedId(resource);
  query.max_age = max_age;
  return query;
}

inline Query WriteOf(int resource) {
  Query query = QueryFor(resource);
  query.endpoint = &WritingEndpoint();
  return query;
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_QUERIES_H_
