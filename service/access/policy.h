// Policy: who may call what, and for which accounts.
//
// The language is gRPC's own (gRFC A43), so that what is written for another gRPC server holds
// here:
//
//   {
//     "name": "pcap",
//     "deny_rules": [
//       {"name": "no-batch", "request": {"headers": [{"key": "x-job", "values": ["batch-*"]}]}}
//     ],
//     "allow_rules": [
//       {"name": "readers",
//        "source": {"principals": ["spiffe://example.com/team/*"]},
//        "request": {"paths": ["/pcap.v1.PcapService/*"]}},
//       {"name": "health", "request": {"paths": ["/grpc.health.v1.Health/*"]}}
//     ],
//     "account_rules": [
//       {"name": "network", "principals": ["spiffe://example.com/team/network"],
//        "accounts": ["023e105f4ecef8ad9ca31a8372d0c353"]}
//     ]
//   }
//
// A call that a deny rule fits is refused; one that an allow rule fits is let through; any other is
// refused. All parts of a rule have to fit, and of a list one entry: exactly, "abc*" by its
// beginning, "*abc" by its end, "*" anything but nothing. Principals are the URI names of the
// caller's certificate, where it has none its DNS names, else its subject (RFC 2253). A part that
// is left out fits all.
//
// Of a header with several values A43 takes the text that commas join them to. Nobody is to gain by
// one value more: for an allow rule each value has to fit as well as that text; for a deny rule one
// is enough, or the text, or what stands between two of its commas. A deny rule looks at all kinds
// of names in a certificate, too.
//
// account_rules are ours: where they are there, a caller may ask for no account that no rule gives
// to one of its principals. "*" as an account is any.
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_POLICY_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_POLICY_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/source/id.h"

namespace pcap_gateway {

inline constexpr size_t kMostPolicyBytes = 1 << 20;

// Whom a connection's certificate names. None at all: it showed none, or it has no TLS.
struct Principals {
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  std::string subject;

  // What policies match first: a URI name, else a DNS name, else the subject; empty: none at all.
  const std::string& Name() const;
};

// One call, as far as rules can see it. Lives while the policy looks.
struct CallFacts {
  const Principals& principals;
  absl::string_view path;  // "/pcap.v1.PcapService/GetPcap"
  // The values of a metadata key, in their order; empty: there is none. They live as long.
  absl::FunctionRef<std::vector<absl::string_view>(absl::string_view key)> header;
};

// Immutable; any thread.
class Policy {
 public:
  // Reads the JSON text. INVALID_ARGUMENT says what is wrong with it, and where: no JSON, a key
  // twice, a key that is not known, a list that is empty, a header whose name has capitals, or that
  // rules must not look at (those that begin with `:` or `grpc-`, `host`, hop-by-hop ones and
  // binary ones).
  static absl::StatusOr<std::shared_ptr<const Policy>> Parse(const std::string& json);

  bool Permits(const CallFacts& call) const;

  // Whether a caller may ask for this account at all.
  bool MayAsk(const Principals& principals, const Id& account) const;

 private:
  friend class PolicyReader;

  // "abc", "abc*", "*abc" or "*".
  struct Pattern {
    enum class Kind { kExact, kPrefix, kSuffix, kPresent };

    Kind kind;
    std::string text;

    bool Fits(absl::string_view value) const;
  };
  using Patterns = std::vector<Pattern>;

  struct Header {
    std::string key;  // lower case
    Patterns values;
  };

  // What is empty fits all.
  struct Rule {
    Patterns principals;
    Patterns paths;
    std::vector<Header> headers;

    bool Denies(const CallFacts& call) const;
    bool Allows(const CallFacts& call) const;
  };

  struct AccountRule {
    Patterns principals;
    bool any_account = false;
    std::vector<Id> accounts;
  };

  static bool AnyFits(const Patterns& patterns, absl::string_view value);
  static bool AnyFits(const Patterns& patterns, const Principals& principals);
  static bool AnyNameFits(const Patterns& patterns, const Principals& principals);

  std::vector<Rule> deny_;
  std::vector<Rule> allow_;
  std::optional<std::vector<AccountRule>> accounts_;  // absent: any caller, any account
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_POLICY_H_
