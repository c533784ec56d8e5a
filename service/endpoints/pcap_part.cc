#include "service/endpoints/pcap_part.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/mapping/pcap_from_json.h"

namespace pcap_gateway {
namespace {

using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

// Hexadecimal digits are the same in capitals.
Id IdOf(const pcap::v1::Pcap& pcap) {
  std::string id = pcap.has_full() ? pcap.full().id() : pcap.simple().id();
  if (pcap.form_case() == pcap::v1::Pcap::FORM_NOT_SET) {
    const auto& extra = pcap.extra_fields().fields();
    const auto found = extra.find("id");
    if (found != extra.end()) id = found->second.string_value();
  }
  return Id::Parse(absl::AsciiStrToLower(id)).value_or(Id());
}

// A map's entries (extra_fields) have an order then.
std::string SortedBytesOf(const google::protobuf::MessageLite& message) {
  std::string bytes;
  StringOutputStream stream(&bytes);
  CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  if (!message.SerializeToCodedStream(&coded)) return {};  // 2 GiB or more
  coded.Trim();
  return bytes;
}

}  // namespace

Part PartOf(const pcap::v1::Pcap& pcap, const Outcome& answer) {
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = answer.as_of;
  outcome->http_status = answer.http_status;
  outcome->cf_ray = answer.cf_ray;
  outcome->stage = StageOf(pcap);
  outcome->run = RunOf(pcap);
  pcap::v1::GetPcapResponse response;
  *response.mutable_pcap() = pcap;
  outcome->message = SortedBytesOf(response);
  return {.resource = IdOf(pcap), .outcome = std::move(outcome)};
}

}  // namespace pcap_gateway
