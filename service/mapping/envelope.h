// Envelope: what Cloudflare wraps around every JSON answer,
//
//   {"success": true, "errors": [], "messages": [], "result": {...}}
//
// read whatever shape its parts have; an odd part never costs the others.
//
//   const Envelope envelope = ReadEnvelope(document.root());
//   if (envelope.kind == Envelope::Kind::kSuccess && envelope.result != nullptr) {
//     Use(*envelope.result);
//   }
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_ENVELOPE_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_ENVELOPE_H_

#include <limits>

#include "google/protobuf/repeated_ptr_field.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/mapping/json_value.h"
#include "service/source/redaction.h"

namespace pcap_gateway {

// Points into the document that it was read from.
struct Envelope {
  enum class Kind {
    kSuccess,  // it may still lack a result
    kFailure,
    kNone,  // not the envelope: no object, or one with neither `success` nor `result` nor errors
  };

  Kind kind = Kind::kNone;
  // It has `success` or `errors`: with an error status, only such an answer is Cloudflare's word.
  bool is_envelope = false;
  // Null where the part is absent or a JSON null.
  const JsonValue* result = nullptr;
  const JsonValue* errors = nullptr;
  const JsonValue* messages = nullptr;
};

// `success` counts as what it seems to say: a boolean, "true" and "false" in any case, a number (0
// is false). If it says false, the call failed. If it says nothing, or true without a result, the
// call failed if there are errors; otherwise it succeeded. Pure and thread-safe.
Envelope ReadEnvelope(const JsonValue& root);

using ResponseInfos = google::protobuf::RepeatedPtrField<pcap::v1::ResponseInfo>;

// Appends the entries of `list` (`errors` or `messages`), at most `most` in all; those of an
// entry's `error_chain` follow it. A plain text becomes an entry with a message alone, a plain
// number one with a code alone. A single entry needs no array around it. null, null
// entries, empty ones and anything else are no entries. With Secrets::kHide texts are redacted.
void AppendInfos(const JsonValue* list, Secrets secrets, ResponseInfos& infos,
                 int most = std::numeric_limits<int>::max());

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_ENVELOPE_H_
