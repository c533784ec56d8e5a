// What goes back to callers: gRPC 1.51 ends the process on a metadata value that is not printable
// ASCII, and trailers beyond a client's limit break its next call.
#include <grpcpp/grpcpp.h>

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "service/rpc/reply.h"
#include "service/rpc/status_details.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/utf8.h"

// gRPC's own, which its later versions do not install: a friend of ServerContext.
namespace grpc::testing {
class ServerContextTestSpouse {
 public:
  explicit ServerContextTestSpouse(ServerContext* context) : context_(context) {}
  auto GetInitialMetadata() const { return context_->initial_metadata_; }
  auto GetTrailingMetadata() const { return context_->trailing_metadata_; }

 private:
  ServerContext* context_;
};
}  // namespace grpc::testing

namespace pcap_gateway {
namespace {

// Texts in errors are valid UTF-8 (error.h): here what is not becomes a mark.
std::string Utf8Of(absl::string_view text) {
  std::string result(text);
  while (!IsUtf8(result)) {
    for (char& c : result) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return result;
}

void RequireFit(const std::multimap<std::string, std::string>& metadata) {
  for (const auto& [key, value] : metadata) {
    Require(!key.empty() && key.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz_.-") ==
                                std::string::npos,
            "a key that gRPC takes");
    Require(!value.empty() && IsPrintableAscii(value), "a value that gRPC takes");
  }
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  const absl::string_view request_id = TakeLine(text);
  auto outcome = std::make_shared<Outcome>();
  outcome->cf_ray = Ray(TakeLine(text));
  outcome->http_status = 200;
  if (!text.empty()) {
    Error error(absl::StatusCode::kInternal, Reason::kUpstreamError, Utf8Of(TakeLine(text)));
    error.documentation_url = Utf8Of(TakeLine(text));
    error.field_violations.push_back({Utf8Of(TakeLine(text)), Utf8Of(TakeLine(text))});
    error.metadata.emplace_back("errorCode", Utf8Of(text));
    error.retry_after = absl::Milliseconds(static_cast<int64_t>(size));
    const std::string bytes = SerializedStatus(error, Utf8Of(request_id), outcome->cf_ray.text());
    Require(bytes.size() <= kMostStatusBytes, "3 KiB at most");
    google::rpc::Status status;
    Require(status.ParseFromString(bytes), "a google.rpc.Status");
    Require(status.message().size() <= kMostMessageBytes, "with a message of 1 KiB at most");
    int infos = 0;
    for (const auto& detail : status.details()) infos += detail.Is<google::rpc::ErrorInfo>();
    Require(infos == 1, "and one ErrorInfo");
    outcome->error = std::make_unique<const Error>(std::move(error));
  }
  Reply reply{.outcome = outcome,
              .cache_status = {.how = CacheStatus::How::kUriMiss, .stored = true},
              .age = absl::Seconds(3)};
  grpc::ServerContext context;
  AddResponseMetadata(reply, request_id, /*streamed=*/false, context);
  grpc::testing::ServerContextTestSpouse spouse(&context);
  const auto trailing = spouse.GetTrailingMetadata();
  const auto initial = spouse.GetInitialMetadata();
  RequireFit(trailing);
  RequireFit(initial);
  Require(outcome->ok() ? trailing.empty() : initial.empty(), "on the side where it belongs");
  return 0;
}
