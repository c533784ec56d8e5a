// What all endpoints do with an answer before they look at what it is about.
#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_ANSWER_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_ANSWER_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message_lite.h"
#include "service/mapping/envelope.h"
#include "service/mapping/json_value.h"
#include "service/mapping/pcap_from_json.h"
#include "service/source/endpoint.h"
#include "service/source/error.h"
#include "service/source/http_answer.h"
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

// An answer of the API's, opened: its envelope without the credential that it was asked with, or
// the error that it is. `answer` outlives it.
class OpenedAnswer {
 public:
  OpenedAnswer(const Query& query, const HttpAnswer& answer, const ParseOptions& options);

  // Set: there is no answer.
  const std::optional<Error>& error() const { return error_; }

  // Null where the answer has none, or a JSON null.
  const JsonValue* result() const { return envelope_.result; }
  const Envelope& envelope() const { return envelope_; }

  // The outcome with that error, with which the parsing ends; without one, an empty outcome.
  Outcome Failed() const { return error_.has_value() ? FailedWith(*error_) : Outcome(); }
  Outcome FailedWith(Error error) const;
  // A 2xx that is not what was asked for: "without a result". Of a write that is sent once it says
  // nothing about what became of it: OUTCOME_UNKNOWN.
  Outcome Invalid(absl::string_view what) const;

  // The outcome of an answer whose result is not a JSON object; nullopt: it is one.
  std::optional<Outcome> NoObject() const;
  // The same of a list, where a null is an empty one.
  std::optional<Outcome> NoList() const;
  // The outcome of an answer that is no success; nullopt: it is a 2xx, whose body may be anything
  // that does not say that it failed.
  std::optional<Outcome> NoSuccess() const;

  // The outcome with `response`, unless it is larger than what a client accepts.
  Outcome Answered(const google::protobuf::MessageLite& response) const;

 private:
  const HttpAnswer& answer_;
  const bool once_;  // it is of a write that is sent once
  JsonDocument document_;
  Envelope envelope_;
  std::optional<Error> error_;
};

// Memory for one response: enough for a usual one, so that building it asks for none.
class ResponseArena {
 public:
  google::protobuf::Arena* arena() { return &arena_; }

 private:
  static google::protobuf::ArenaOptions OptionsFor(char* block, size_t size) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = size;
    return options;
  }

  alignas(std::max_align_t) char block_[4096];
  google::protobuf::Arena arena_{OptionsFor(block_, sizeof(block_))};
};

// /accounts/{account_id}/pcaps, and that of the query's capture.
std::string PcapsPath(const Query& query);
std::string PcapPath(const Query& query);

inline Secrets SecretsOf(const ParseOptions& options) {
  return options.reveal_destination_secrets ? Secrets::kReveal : Secrets::kHide;
}

// Whether `result` is about `asked`. Every field of a capture is optional, so one without an id
// says nothing else; and hexadecimal digits are the same in capitals.
bool IsAbout(const JsonValue& result, const Id& asked);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_ANSWER_H_
