// The fields that requests have in common, checked: what is wrong is said by field, and nothing of
// it is repeated.
#ifndef PCAP_GATEWAY_SERVICE_RPC_REQUEST_FIELDS_H_
#define PCAP_GATEWAY_SERVICE_RPC_REQUEST_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/repeated_field.h"
#include "service/source/error.h"
#include "service/source/id.h"

namespace pcap_gateway {

// Collects what is wrong with one request.
class RequestFields {
 public:
  // A required id; the id of all zeros after a violation.
  Id ReadId(absl::string_view field, absl::string_view text);

  // An id that may be empty where there is a default.
  Id ReadIdOr(absl::string_view field, absl::string_view text, const std::optional<Id>& fallback);

  // Ids, at most `most` and each once; sorted. Null: there are none, or something is wrong.
  std::shared_ptr<const std::vector<Id>> ReadIds(
      absl::string_view field, const google::protobuf::RepeatedPtrField<std::string>& texts,
      int most);

  // A duration of 0 or more (AIP-142); nullptr: infinite.
  absl::Duration ReadMaxAge(absl::string_view field, const google::protobuf::Duration* duration);

  // A whole number from `least` to `most`; its field has to be there.
  void CheckNumber(absl::string_view field, int64_t value, int64_t least, int64_t most);

  // A duration of whole seconds from `least` to `most`; nullptr: it is missing.
  void CheckSeconds(absl::string_view field, const google::protobuf::Duration* duration,
                    int64_t least, int64_t most);

  // A text of printable ASCII characters, `least` to `most` of them. The text is not repeated.
  void CheckText(absl::string_view field, absl::string_view text, size_t least, size_t most);

  // A bucket's URI, which is required: s3://…, gs://… or r2://…. It is not repeated.
  void CheckDestination(absl::string_view field, absl::string_view uri);

  // Something else is wrong with the field.
  void Violate(absl::string_view field, std::string description);

  // INVALID_ARGUMENT with all violations; nullopt: there were none.
  std::optional<Error> error() &&;

 private:
  std::vector<FieldViolation> violations_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_REQUEST_FIELDS_H_
