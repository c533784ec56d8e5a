#include "service/mapping/ownership_from_json.h"

#include <string>
#include <utility>

#include "service/mapping/extra_fields.h"
#include "service/mapping/field_reader.h"

namespace pcap_gateway {
namespace {

using google::protobuf::Timestamp;
using pcap::v1::Ownership;
using pcap::v1::OwnershipStatus;

constexpr EnumText<OwnershipStatus> kStatuses[] = {
    {"pending", pcap::v1::OWNERSHIP_STATUS_PENDING},
    {"success", pcap::v1::OWNERSHIP_STATUS_SUCCESS},
    {"failed", pcap::v1::OWNERSHIP_STATUS_FAILED},
};

constexpr Field<Ownership> kFields[] = {
    {"id",
     [](const JsonValue& json, Ownership& ownership, ExtraFields& extra) {
       return Put(TextFrom(json, extra.secrets()),
                  [&](std::string value) { ownership.set_id(std::move(value)); });
     }},
    {"destination_conf",
     [](const JsonValue& json, Ownership& ownership, ExtraFields& extra) {
       return Put(DestinationFrom(json, extra.secrets()),
                  [&](std::string value) { ownership.set_destination_conf(std::move(value)); });
     }},
    {"filename",
     [](const JsonValue& json, Ownership& ownership, ExtraFields& extra) {
       return Put(TextFrom(json, extra.secrets()),
                  [&](std::string value) { ownership.set_filename(std::move(value)); });
     }},
    {"status",
     [](const JsonValue& json, Ownership& ownership, ExtraFields&) {
       return Put(EnumFrom(json, kStatuses),
                  [&](OwnershipStatus value) { ownership.set_status(value); });
     }},
    {"submitted",
     [](const JsonValue& json, Ownership& ownership, ExtraFields&) {
       return PutTime(json,
                      [&](const Timestamp& value) { *ownership.mutable_submitted() = value; });
     }},
    {"validated",
     [](const JsonValue& json, Ownership& ownership, ExtraFields&) {
       const bool is_none = json.is_string() && json.text().empty();
       return is_none || PutTime(json, [&](const Timestamp& value) {
                *ownership.mutable_validated() = value;
              });
     }},
};

}  // namespace

void OwnershipFromJson(const JsonValue& object, Secrets secrets, Ownership& ownership) {
  ExtraFields extra(ownership, secrets);
  ReadFields<Ownership>(object, "", {kFields}, ownership, extra);
}

}  // namespace pcap_gateway
