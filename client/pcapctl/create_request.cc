#include "client/pcapctl/create_request.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/pcapctl/ip_protocol.h"
#include "client/pcapctl/settings.h"
#include "client/pcapctl/text_file.h"

namespace pcap_client {
namespace {

using pcap::v1::CreatePcapRequest;

constexpr char kUsualTimeLimit[] = "1m";
constexpr char kUsualPacketLimit[] = "10000";
constexpr absl::Duration kLongest = absl::Hours(24 * 365);

absl::Status Refused(absl::string_view option, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--", option, ": ", why));
}

// Each of these leaves the field alone where the text is empty.

template <typename Set>
absl::Status ReadNumber(absl::string_view option, const std::string& text, int64_t least,
                        int64_t most, Set set) {
  if (text.empty()) return absl::OkStatus();
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < least || number > most) {
    const std::string range = most == std::numeric_limits<int64_t>::max()
                                  ? absl::StrCat("of ", least, " or more")
                                  : absl::StrCat("from ", least, " to ", most);
    return Refused(option, absl::StrCat("is a whole number ", range, "; not ", text));
  }
  set(number);
  return absl::OkStatus();
}

absl::Status ReadDuration(absl::string_view option, const std::string& text,
                          google::protobuf::Duration& duration) {
  absl::Duration rest = absl::ZeroDuration();
  const std::optional<absl::Duration> read = DurationFrom(text, absl::ZeroDuration(), kLongest);
  if (!read.has_value()) {
    return Refused(option,
                   absl::StrCat("is a duration with its unit, such as 10s or 5m; not ", text));
  }
  duration.set_seconds(absl::IDivDuration(*read, absl::Seconds(1), &rest));
  duration.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return absl::OkStatus();
}

absl::Status ReadTime(absl::string_view option, const std::string& text,
                      google::protobuf::Timestamp& time) {
  absl::Time read;
  std::string why;
  if (!absl::ParseTime(absl::RFC3339_full, text, &read, &why) || read == absl::InfiniteFuture() ||
      read == absl::InfinitePast()) {
    return Refused(option,
                   absl::StrCat("is a time such as 2026-11-29T13:45:00Z (RFC 3339); not ", text));
  }
  const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(read));
  time.set_seconds(absl::ToUnixSeconds(second));
  time.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(read - second)));
  return absl::OkStatus();
}

// Leaves `form` without a filter where there is none to set: all packets.
template <typename Form>
absl::Status ReadFilter(const CaptureTexts& texts, Form& form) {
  pcap::v1::PcapFilter filter;
  if (!texts.source_address.empty()) filter.set_source_address(texts.source_address);
  if (!texts.destination_address.empty()) filter.set_destination_address(texts.destination_address);
  absl::Status status = ReadNumber("source-port", texts.source_port, 0, 65535, [&](int64_t port) {
    filter.set_source_port(static_cast<uint32_t>(port));
  });
  status.Update(ReadNumber("destination-port", texts.destination_port, 0, 65535, [&](int64_t port) {
    filter.set_destination_port(static_cast<uint32_t>(port));
  }));
  if (const auto protocol = IpProtocolNumber(texts.protocol)) {
    filter.set_protocol(*protocol);
  } else if (!texts.protocol.empty()) {
    status.Update(Refused("protocol", absl::StrCat("is a number from 0 to 255, or one of ",
                                                   IpProtocolNames(), "; not ", texts.protocol)));
  }
  if (filter.ByteSizeLong() > 0) *form.mutable_filter_v1() = std::move(filter);
  return status;
}

template <typename Form>
absl::Status ReadLimits(const CaptureTexts& texts, Form& form) {
  absl::Status status = ReadDuration("time-limit", texts.time_limit, *form.mutable_time_limit());
  status.Update(ReadNumber("packet-limit", texts.packet_limit, 0,
                           std::numeric_limits<int64_t>::max(),
                           [&](int64_t limit) { form.set_packet_limit(limit); }));
  return status;
}

CreatePcapRequest Named(const CaptureTexts& texts) {
  CreatePcapRequest request;
  request.set_request_id(texts.request_id.empty() ? NewRequestId() : texts.request_id);
  return request;
}

}  // namespace

absl::StatusOr<CreatePcapRequest> SimpleRequest(const CaptureTexts& texts) {
  CaptureTexts whole = texts;
  if (whole.time_limit.empty()) whole.time_limit = kUsualTimeLimit;
  if (whole.packet_limit.empty()) whole.packet_limit = kUsualPacketLimit;
  CreatePcapRequest request = Named(whole);
  auto& simple = *request.mutable_simple();
  absl::Status status = ReadLimits(whole, simple);
  status.Update(ReadFilter(whole, simple));
  if (!whole.offset_time.empty()) {
    status.Update(ReadTime("offset-time", whole.offset_time, *simple.mutable_offset_time()));
  }
  if (!status.ok()) return status;
  return request;
}

absl::StatusOr<CreatePcapRequest> FullRequest(const CaptureTexts& texts) {
  CreatePcapRequest request = Named(texts);
  auto& full = *request.mutable_full();
  const absl::StatusOr<std::string> destination = DestinationOf(texts);
  if (!destination.ok()) return destination.status();
  const std::pair<const char*, const std::string*> needed[] = {{"time-limit", &texts.time_limit},
                                                               {"colo-name", &texts.colo_name},
                                                               {"destination-conf", &*destination}};
  for (const auto& [option, text] : needed) {
    if (text->empty()) return Refused(option, "needed for a full capture");
  }
  absl::Status status = ReadLimits(texts, full);
  status.Update(ReadFilter(texts, full));
  status.Update(ReadNumber("byte-limit", texts.byte_limit, 0, std::numeric_limits<int64_t>::max(),
                           [&](int64_t limit) { full.set_byte_limit(limit); }));
  full.set_colo_name(texts.colo_name);
  full.set_destination_conf(*destination);
  if (!status.ok()) return status;
  return request;
}

absl::StatusOr<std::string> DestinationOf(const CaptureTexts& texts) {
  return OneOfTextAndFile("destination-conf", texts.destination_conf, texts.destination_conf_file);
}

CreatePcapRequest WithoutSecrets(CreatePcapRequest request) {
  if (request.has_full()) {
    request.mutable_full()->set_destination_conf(
        BucketWithoutSecrets(request.full().destination_conf()));
  }
  return request;
}

std::string BucketWithoutSecrets(absl::string_view uri) {
  // Before a bucket's name an `@` would end a user and a password.
  const size_t question = uri.find_first_of("?#");
  absl::string_view bucket = uri.substr(0, question);
  std::string shown;
  if (const size_t at = bucket.rfind('@'); at != absl::string_view::npos) {
    shown = "REDACTED";
    bucket.remove_prefix(at);
  }
  absl::StrAppend(&shown, bucket);
  if (question == absl::string_view::npos) return shown;
  shown += uri[question];
  absl::string_view separator;
  for (const absl::string_view part : absl::StrSplit(uri.substr(question + 1), '&')) {
    const std::pair<absl::string_view, absl::string_view> entry =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    const bool is_plain = entry.first == "region" || entry.first == "account-id";
    absl::StrAppend(&shown, separator,
                    is_plain                       ? std::string(part)
                    : absl::StrContains(part, '=') ? absl::StrCat(entry.first, "=REDACTED")
                                                   : "REDACTED");
    separator = "&";
  }
  return shown;
}

std::string NewRequestId() {
  std::random_device random;  // the system's, not a generator that is seeded
  const auto bits = [&] { return static_cast<uint32_t>(random()); };
  const uint32_t b = bits();
  const uint32_t c = bits();
  // RFC 9562: version 4, and the variant's two bits.
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%04x%08x", bits(), b >> 16, b & 0xFFF,
                         0x8000 | (c >> 16 & 0x3FFF), c & 0xFFFF, bits());
}

}  // namespace pcap_client
