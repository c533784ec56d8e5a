// Gets packet captures from a pcap-gateway, and prints what came of each; or makes one, waits until
// it is ready, and downloads its packets.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "pcap_client/pcap_client.h"

namespace {

using pcap::v1::Pcap;
using pcap_client::CallError;
using pcap_client::CallResult;
using pcap_client::GetPcapAnswer;
using pcap_client::PcapClient;

// Whoever is told to come again sooner than that may as well wait.
constexpr absl::Duration kLongestWait = absl::Seconds(5);

// From a capture's beginning to its last packet.
constexpr absl::Duration kCaptureTime = absl::Minutes(2);

constexpr char kUsage[] =
    "usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID..., or run [--tls-ca FILE] --capture "
    "FILE TARGET "
    "ACCOUNT_ID";

bool IsRefused(const CallError& error) {
  return error.code == absl::StatusCode::kResourceExhausted && error.retry_after.has_value();
}

// Once more if the gateway says that a short wait will do.
CallResult<GetPcapAnswer> GetPatiently(const PcapClient& client,
                                       const pcap::v1::GetPcapRequest& request) {
  CallResult<GetPcapAnswer> result = client.GetPcap(request);
  if (result.ok() || !IsRefused(result.error())) return result;
  if (*result.error().retry_after > kLongestWait) return result;
  absl::SleepFor(*result.error().retry_after);
  return client.GetPcap(request);
}

// An enum of proto3 is open: tomorrow's gateway may send a number that has no name here.
std::string StatusName(pcap::v1::PcapStatus status) {
  const std::string& name = pcap::v1::PcapStatus_Name(status);
  return name.empty() ? absl::StrCat("PCAP_STATUS ", static_cast<int>(status)) : name;
}

// What both forms have.
template <typename Form>
std::vector<std::string> Parts(const char* name, const Form& form) {
  std::vector<std::string> parts = {name, StatusName(form.status())};
  if (form.has_submitted()) {
    const absl::Time submitted = absl::FromUnixSeconds(form.submitted().seconds());
    parts.push_back(
        absl::FormatTime("submitted %Y-%m-%d%ET%H:%M:%SZ", submitted, absl::UTCTimeZone()));
  }
  return parts;
}

std::string Describe(const Pcap& pcap) {
  std::vector<std::string> parts;
  switch (pcap.form_case()) {
    case Pcap::kSimple:
      parts = Parts("simple", pcap.simple());
      break;
    case Pcap::kFull:
      parts = Parts("full", pcap.full());
      // 0 packets are not the same as no number.
      if (pcap.full().has_packets_captured()) {
        parts.push_back(absl::StrCat(pcap.full().packets_captured(), " packets captured"));
      }
      break;
    case Pcap::FORM_NOT_SET:
      return "a form that this program does not know";
  }
  return absl::StrJoin(parts, ", ");
}

// Whether its packets are there. The form that a capture does not have has no status.
bool IsReady(const Pcap& pcap) {
  return pcap.simple().status() == pcap::v1::PCAP_STATUS_SUCCESS ||
         pcap.full().status() == pcap::v1::PCAP_STATUS_COMPLETE;
}

std::string Describe(const CallError& error) {
  if (IsRefused(error)) {
    const double tenths =
        std::ceil(absl::FDivDuration(*error.retry_after, absl::Milliseconds(100)));
    return absl::StrCat("not now, come again in ", tenths / 10, " s");
  }
  return absl::StrCat(absl::StatusCodeToString(error.code),
                      error.reason.empty() ? "" : absl::StrCat(" (", error.reason, ")"), ": ",
                      error.message);
}

// Prints what came of it, and returns whether that is an answer.
bool Report(const PcapClient& client, const std::string& account_id, const std::string& pcap_id) {
  pcap::v1::GetPcapRequest request;
  request.set_account_id(account_id);
  request.set_pcap_id(pcap_id);
  const CallResult<GetPcapAnswer> result = GetPatiently(client, request);
  if (result.ok()) {
    std::cout << pcap_id << ": " << Describe(result->response.pcap()) << "\n";
    const std::string& cache_status = result->info.cache_status;
    if (!cache_status.empty()) std::cout << "    cache-status: " << cache_status << "\n";
    return true;
  }
  const CallError& error = result.error();
  if (error.code == absl::StatusCode::kNotFound && error.reason == "PCAP_NOT_FOUND") {
    std::cout << pcap_id << ": there is no such capture\n";
    return true;
  }
  std::cout << pcap_id << ": " << Describe(error) << "\n";
  return false;
}

// Ten seconds of sampled TCP packets. Not to be tried again under another request_id: with the same
// one there is no second capture, however often it is asked for.
pcap::v1::CreatePcapRequest SomePackets(const std::string& account_id) {
  pcap::v1::CreatePcapRequest request;
  request.set_account_id(account_id);
  std::random_device random;
  request.set_request_id(absl::StrCat(absl::Hex(random()), "-", absl::Hex(random()), "-",
                                      absl::Hex(random()), "-", absl::Hex(random())));
  request.mutable_simple()->mutable_time_limit()->set_seconds(10);
  request.mutable_simple()->set_packet_limit(1000);
  request.mutable_simple()->mutable_filter_v1()->set_protocol(6);
  return request;
}

CallError CannotWrite(const std::string& file) {
  CallError error;
  error.code = absl::StatusCode::kDataLoss;
  error.message = "cannot write " + file;
  return error;
}

// The packets into `file`, which is there once it is whole; how many bytes that is.
CallResult<int64_t> Download(const PcapClient& client, const pcap::v1::DownloadPcapRequest& request,
                             const std::string& file, absl::Duration timeout) {
  const std::string part = file + ".part";
  int64_t size = 0;
  std::optional<CallError> error;
  {
    std::ofstream to(part, std::ios::binary);
    auto packets = client.DownloadPcap(request, {.timeout = timeout});
    for (const auto& message : packets) {
      to << message.data();
      size += static_cast<int64_t>(message.data().size());
    }
    if (!packets.Outcome().ok()) {
      error = packets.Outcome().error();
    } else if (!to.flush()) {
      error = CannotWrite(part);
    }
  }
  if (!error.has_value() && std::rename(part.c_str(), file.c_str()) == 0) return size;
  std::remove(part.c_str());
  return error.value_or(CannotWrite(file));
}

// Makes a capture, prints what comes of it, and returns whether its packets are in `file`.
bool Capture(const PcapClient& client, const std::string& account_id, const std::string& file) {
  const absl::Time until = absl::Now() + kCaptureTime;
  const auto created = client.CreatePcap(SomePackets(account_id));
  if (!created.ok()) {
    std::cout << "capture: " << Describe(created.error()) << "\n";
    return false;
  }
  Pcap pcap = created->response.pcap();
  const std::string pcap_id = pcap.simple().id();
  pcap::v1::WatchPcapsRequest watch;
  watch.set_account_id(account_id);
  watch.add_pcap_ids(pcap_id);
  // Each change, up to the last. The client goes on by itself where a replica of the gateway ends.
  auto changes = client.WatchPcaps(watch, {.timeout = until - absl::Now()});
  for (const auto& message : changes) {
    pcap = message.pcap();
    std::cout << pcap_id << ": " << Describe(pcap) << std::endl;
  }
  if (!changes.Outcome().ok()) {
    std::cout << pcap_id << ": " << Describe(changes.Outcome().error()) << "\n";
    return false;
  }
  if (!IsReady(pcap)) return false;
  pcap::v1::DownloadPcapRequest download;
  download.set_account_id(account_id);
  download.set_pcap_id(pcap_id);
  const CallResult<int64_t> size = Download(client, download, file, until - absl::Now());
  if (!size.ok()) {
    std::cout << pcap_id << ": " << Describe(size.error()) << "\n";
    return false;
  }
  std::cout << pcap_id << ": " << *size << " bytes in " << file << "\n";
  return true;
}

int Fail(const std::string& message) {
  std::cerr << "run: " << message << "\n";
  return 2;
}

int Run(std::vector<std::string> arguments) {
  pcap_client::ClientOptions options;
  options.user_agent = "get-pcaps/1.0";
  std::string capture;
  while (!arguments.empty() && arguments[0].rfind("--", 0) == 0) {
    const bool is_tls = arguments[0] == "--tls-ca";
    if ((!is_tls && arguments[0] != "--capture") || arguments.size() < 2) {
      return Fail("no such option: " + arguments[0]);
    }
    if (is_tls) {
      const std::ifstream file(arguments[1]);
      std::ostringstream certificates;
      if (!(certificates << file.rdbuf())) return Fail("--tls-ca: cannot read " + arguments[1]);
      options.tls.emplace().root_certificates = certificates.str();
    } else {
      capture = arguments[1];
    }
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  if (capture.empty() ? arguments.size() < 3 : arguments.size() != 2) return Fail(kUsage);
  options.target = arguments[0];
  // Connects with the first call. One is enough for a program; the connection is reopened when
  // lost.
  const auto client = PcapClient::Create(options);
  if (!client.ok()) return Fail(std::string(client.status().message()));
  if (!capture.empty()) return Capture(*client, arguments[1], capture) ? 0 : 1;
  bool answered = true;
  for (size_t i = 2; i < arguments.size(); ++i) {
    answered = Report(*client, arguments[1], arguments[i]) && answered;
  }
  return answered ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return Run(std::vector<std::string>(argv + 1, argv + argc)); }
