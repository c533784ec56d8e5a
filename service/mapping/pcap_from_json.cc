#include "service/mapping/pcap_from_json.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "service/mapping/extra_fields.h"
#include "service/mapping/field_reader.h"

namespace pcap_gateway {
namespace {

using google::protobuf::Duration;
using google::protobuf::Timestamp;
using pcap::v1::FullPcap;
using pcap::v1::Pcap;
using pcap::v1::PcapFilter;
using pcap::v1::PcapStatus;
using pcap::v1::PcapSystem;
using pcap::v1::SimplePcap;

constexpr EnumText<PcapStatus> kStatuses[] = {
    {"unknown", pcap::v1::PCAP_STATUS_UNKNOWN},
    {"success", pcap::v1::PCAP_STATUS_SUCCESS},
    {"pending", pcap::v1::PCAP_STATUS_PENDING},
    {"running", pcap::v1::PCAP_STATUS_RUNNING},
    {"conversion_pending", pcap::v1::PCAP_STATUS_CONVERSION_PENDING},
    {"conversion_running", pcap::v1::PCAP_STATUS_CONVERSION_RUNNING},
    {"complete", pcap::v1::PCAP_STATUS_COMPLETE},
    {"failed", pcap::v1::PCAP_STATUS_FAILED},
};

constexpr EnumText<PcapSystem> kSystems[] = {
    {"magic-transit", pcap::v1::PCAP_SYSTEM_MAGIC_TRANSIT},
};

constexpr EnumText<Pcap::FormCase> kTypes[] = {
    {"simple", Pcap::kSimple},
    {"full", Pcap::kFull},
};

constexpr Field<PcapFilter> kFilterFields[] = {
    {"destination_address",
     [](const JsonValue& json, PcapFilter& filter, ExtraFields& extra) {
       return Put(TextFrom(json, extra.secrets()),
                  [&](std::string value) { filter.set_destination_address(std::move(value)); });
     }},
    {"destination_port",
     [](const JsonValue& json, PcapFilter& filter, ExtraFields&) {
       return Put(UInt32From(json), [&](uint32_t value) { filter.set_destination_port(value); });
     }},
    {"protocol",
     [](const JsonValue& json, PcapFilter& filter, ExtraFields&) {
       return Put(UInt32From(json), [&](uint32_t value) { filter.set_protocol(value); });
     }},
    {"source_address",
     [](const JsonValue& json, PcapFilter& filter, ExtraFields& extra) {
       return Put(TextFrom(json, extra.secrets()),
                  [&](std::string value) { filter.set_source_address(std::move(value)); });
     }},
    {"source_port",
     [](const JsonValue& json, PcapFilter& filter, ExtraFields&) {
       return Put(UInt32From(json), [&](uint32_t value) { filter.set_source_port(value); });
     }},
};

// The fields that both forms have.
template <typename Form>
constexpr Field<Form> kSharedFields[] = {
    {"id",
     [](const JsonValue& json, Form& form, ExtraFields& extra) {
       return Put(TextFrom(json, extra.secrets()),
                  [&](std::string value) { form.set_id(std::move(value)); });
     }},
    {"filter_v1",
     [](const JsonValue& json, Form& form, ExtraFields& extra) {
       if (!json.is_object()) return false;
       ReadFields<PcapFilter>(json, "filter_v1.", {kFilterFields}, *form.mutable_filter_v1(),
                              extra);
       return true;
     }},
    {"status",
     [](const JsonValue& json, Form& form, ExtraFields&) {
       return Put(EnumFrom(json, kStatuses), [&](PcapStatus value) { form.set_status(value); });
     }},
    {"submitted",
     [](const JsonValue& json, Form& form, ExtraFields&) {
       return PutTime(json, [&](const Timestamp& value) { *form.mutable_submitted() = value; });
     }},
    {"system",
     [](const JsonValue& json, Form& form, ExtraFields&) {
       return Put(EnumFrom(json, kSystems), [&](PcapSystem value) { form.set_system(value); });
     }},
    {"time_limit",
     [](const JsonValue& json, Form& form, ExtraFields&) {
       return Put(DurationFrom(json),
                  [&](const Duration& value) { *form.mutable_time_limit() = value; });
     }},
    // The arm of the oneof says it already.
    {"type",
     [](const JsonValue& json, Form&, ExtraFields&) { return EnumFrom(json, kTypes).has_value(); }},
};

constexpr Field<SimplePcap> kSimpleFields[] = {
    {"offset_time",
     [](const JsonValue& json, SimplePcap& simple, ExtraFields&) {
       return PutTime(json, [&](const Timestamp& value) { *simple.mutable_offset_time() = value; });
     }},
};

constexpr Field<FullPcap> kFullFields[] = {
    {"byte_limit",
     [](const JsonValue& json, FullPcap& full, ExtraFields&) {
       return Put(Int64From(json), [&](int64_t value) { full.set_byte_limit(value); });
     }},
    {"colo_name",
     [](const JsonValue& json, FullPcap& full, ExtraFields& extra) {
       return Put(TextFrom(json, extra.secrets()),
                  [&](std::string value) { full.set_colo_name(std::move(value)); });
     }},
    {"destination_conf",
     [](const JsonValue& json, FullPcap& full, ExtraFields& extra) {
       return Put(DestinationFrom(json, extra.secrets()),
                  [&](std::string value) { full.set_destination_conf(std::move(value)); });
     }},
    {"error_message",
     [](const JsonValue& json, FullPcap& full, ExtraFields& extra) {
       return Put(TextFrom(json, extra.secrets()),
                  [&](std::string value) { full.set_error_message(std::move(value)); });
     }},
    {"packets_captured",
     [](const JsonValue& json, FullPcap& full, ExtraFields&) {
       return Put(Int64From(json), [&](int64_t value) { full.set_packets_captured(value); });
     }},
    {"stop_requested",
     [](const JsonValue& json, FullPcap& full, ExtraFields&) {
       return PutTime(json,
                      [&](const Timestamp& value) { *full.mutable_stop_requested() = value; });
     }},
};

template <typename Form, size_t n>
bool HasAny(const JsonValue& object, const Field<Form> (&fields)[n]) {
  return std::any_of(std::begin(fields), std::end(fields), [&](const Field<Form>& field) {
    const JsonValue* const value = object.Find(field.name);
    return value != nullptr && !value->is_null() && !IsZeroTime(*value);
  });
}

Pcap::FormCase FormOf(const JsonValue& object) {
  if (const JsonValue* const type = object.Find("type")) {
    if (const std::optional<Pcap::FormCase> form = EnumFrom(*type, kTypes)) return *form;
  }
  const bool simple = HasAny(object, kSimpleFields);
  const bool full = HasAny(object, kFullFields);
  if (simple == full) return Pcap::FORM_NOT_SET;
  return simple ? Pcap::kSimple : Pcap::kFull;
}

bool IsFinal(PcapStatus status) {
  return status == pcap::v1::PCAP_STATUS_SUCCESS || status == pcap::v1::PCAP_STATUS_COMPLETE ||
         status == pcap::v1::PCAP_STATUS_FAILED;
}

template <typename Form>
Run RunOfForm(const Form& form) {
  Run run;
  if (!form.has_submitted()) return run;
  const absl::Duration since_epoch =
      absl::Seconds(form.submitted().seconds()) + absl::Nanoseconds(form.submitted().nanos());
  run.began = absl::UnixEpoch() + since_epoch;
  const absl::Duration limit =
      absl::Seconds(form.time_limit().seconds()) + absl::Nanoseconds(form.time_limit().nanos());
  if (form.has_time_limit() && limit >= absl::ZeroDuration()) run.ends = run.began + limit;
  return run;
}

}  // namespace

void PcapFromJson(const JsonValue& object, Secrets secrets, Pcap& pcap) {
  ExtraFields extra(pcap, secrets);
  switch (FormOf(object)) {
    case Pcap::kSimple:
      ReadFields<SimplePcap>(object, "", {kSharedFields<SimplePcap>, kSimpleFields},
                             *pcap.mutable_simple(), extra);
      return;
    case Pcap::kFull:
      ReadFields<FullPcap>(object, "", {kSharedFields<FullPcap>, kFullFields}, *pcap.mutable_full(),
                           extra);
      return;
    case Pcap::FORM_NOT_SET:
      for (const JsonValue& json : object.children()) {
        if (!json.is_null()) extra.Keep("", json);
      }
      return;
  }
}

Stage StageOf(const Pcap& pcap) {
  return IsFinal(pcap.simple().status()) || IsFinal(pcap.full().status()) ? Stage::kFinal
                                                                          : Stage::kMoving;
}

Run RunOf(const Pcap& pcap) {
  switch (pcap.form_case()) {
    case Pcap::kSimple:
      return RunOfForm(pcap.simple());
    case Pcap::kFull:
      return RunOfForm(pcap.full());
    case Pcap::FORM_NOT_SET:
      break;
  }
  return {};
}

}  // namespace pcap_gateway
