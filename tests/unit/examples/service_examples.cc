// The examples of service/: what each takes for granted, and then the example itself
// (header_examples.py).
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pcap/v1/pcap.pb.h"
#include "pcap/v1/pcap_ownership_service.pb.h"
#include "service/access/access_files.h"
#include "service/access/published_file.h"
#include "service/access/watched_files.h"
#include "service/base/burst.h"
#include "service/base/clock.h"
#include "service/base/current.h"
#include "service/base/histogram.h"
#include "service/base/mutex.h"
#include "service/base/recent.h"
#include "service/cache/caching_source.h"
#include "service/endpoints/get_pcap.h"
#include "service/endpoints/list_pcaps.h"
#include "service/gateway.h"
#include "service/loop/event_loop.h"
#include "service/loop/pending.h"
#include "service/mapping/envelope.h"
#include "service/mapping/error_from_http.h"
#include "service/mapping/extra_fields.h"
#include "service/mapping/field_reader.h"
#include "service/mapping/json_value.h"
#include "service/mapping/ownership_from_json.h"
#include "service/mapping/pcap_from_json.h"
#include "service/operations/heartbeat.h"
#include "service/operations/log.h"
#include "service/operations/metrics.h"
#include "service/operations/service_manager.h"
#include "service/operations/share.h"
#include "service/rpc/acceptor.h"
#include "service/rpc/call.h"
#include "service/rpc/intake.h"
#include "service/rpc/open_streams.h"
#include "service/rpc/reply.h"
#include "service/rpc/server.h"
#include "service/rpc/server_settings.h"
#include "service/rpc/stream.h"
#include "service/shared/aside.h"
#include "service/shared/name_lookup.h"
#include "service/shared/outdated_entries.h"
#include "service/shared/redis_client.h"
#include "service/shared/shared_source.h"
#include "service/shared/untold.h"
#include "service/source/ledger.h"
#include "service/source/secret_finder.h"
#include "service/source/source.h"
#include "service/source/write_memory.h"
#include "service/tracing/tracing.h"
#include "service/upstream/budget.h"
#include "service/upstream/caller_shares.h"
#include "service/upstream/http_client.h"
#include "service/upstream/places.h"
#include "service/upstream/rest_source.h"
#include "service/upstream/sliding_count.h"
#include "service/watch/watches.h"

namespace pcap_gateway {

using pcap::v1::Ownership;
using pcap::v1::Pcap;
using pcap::v1::PcapFilter;
using Addresses = std::vector<std::string>;

void AskAnew();
void ComeAgainIn(absl::Duration wait);
void Connect(const Addresses& addresses);
void Finish(const Reply& end);
HttpAnswer Send();
void Send(const NamedWrite& write);
void Send(const Reply& reply);
void Send(int64_t granted_in);
void SendTheWrite();
void Serve(const std::string& identity_path, const Current<Policy>& policy);
absl::Status Take(const std::vector<std::string>& contents);
void Use(const JsonValue& result);
void Use(const std::optional<RedisReply>& reply);
void Use(absl::Time time);
void WaitForSignal();
void Wake();
void Watch(const std::string& path);
void WriteLine();

absl::Status AccessFilesExample(const AccessOptions& options, const Clock& clock,
                                const WatchedFiles::Log& log) {
#include "examples/service/access/access_files.h.inc"
  return absl::OkStatus();
}

absl::Status PublishedFileExample(const std::string& pem) {
#include "examples/service/access/published_file.h.inc"
  return absl::OkStatus();
}

absl::Status WatchedFilesExample(const std::string& path, size_t kMostBytes,
                                 const WatchedFiles::Log& log) {
#include "examples/service/access/watched_files.h.inc"
  return absl::OkStatus();
}

void BurstExample(std::vector<Reply>& replies, std::vector<Reply>& posted) {
#include "examples/service/base/burst.h.inc"
}

void CurrentExample(const std::shared_ptr<const Policy>& first) {
#include "examples/service/base/current.h.inc"
}

void HistogramExample() {
#include "examples/service/base/histogram.h.inc"
}

void RecentExample(const Clock& clock) {
#include "examples/service/base/recent.h.inc"
}

struct MutexExample {
#include "examples/service/base/mutex.h.inc"
};

void CachingSourceExample(std::unique_ptr<Source> rest_source, const Clock& clock) {
#include "examples/service/cache/caching_source.h.inc"
}

absl::Status GatewayExample(const Options& options, Log& log,
                            const std::function<bool(absl::Duration)>& wait) {
#include "examples/service/gateway.h.inc"
  return absl::OkStatus();
}

void PendingExample(Pending<HttpResult>& pending, HttpClient& client, const HttpRequest& request) {
#include "examples/service/loop/pending.h.inc"
}

void EnvelopeExample(const JsonDocument& document) {
#include "examples/service/mapping/envelope.h.inc"
}

std::optional<Error> ErrorFromHttpExample(const HttpAnswer& answer, const Asked& asked) {
#include "examples/service/mapping/error_from_http.h.inc"
  return std::nullopt;
}

void ExtraFieldsExample(Pcap& pcap, const JsonValue& value) {
#include "examples/service/mapping/extra_fields.h.inc"
}

void FieldReaderExample(const JsonValue& object, PcapFilter& filter, ExtraFields& extra) {
#include "examples/service/mapping/field_reader.h.inc"
}

void JsonValueExample() {
#include "examples/service/mapping/json_value.h.inc"
}

void OwnershipFromJsonExample(const JsonValue* result) {
#include "examples/service/mapping/ownership_from_json.h.inc"
}

void PcapFromJsonExample(const JsonValue* result) {
#include "examples/service/mapping/pcap_from_json.h.inc"
}

void HeartbeatExample(Loop& loop, const ServiceManager& manager) {
#include "examples/service/operations/heartbeat.h.inc"
}

void LogExample(const Redact& hide_secrets) {
#include "examples/service/operations/log.h.inc"
}

std::string MetricsExample(const CachingSource& cache) {
#include "examples/service/operations/metrics.h.inc"
}

void ShareExample() {
#include "examples/service/operations/share.h.inc"
}

void AcceptorExample(absl::StatusOr<ListeningSockets> sockets, const Acceptor::HandOver& hand_over,
                     const Acceptor::Log& log) {
#include "examples/service/rpc/acceptor.h.inc"
}

void CallExample(const CallEnvironment& environment, const Method& method, OpenStreams& streams) {
#include "examples/service/rpc/call.h.inc"
}

std::optional<Error> IntakeExample(const CallEnvironment& environment, const Method& method,
                                   grpc::ServerContext& context, const grpc::ByteBuffer& request,
                                   Source& source, Source::Done done) {
#include "examples/service/rpc/intake.h.inc"
  return std::nullopt;
}

absl::Status ServerExample(Source& source, const std::function<bool(absl::Duration)>& wait) {
#include "examples/service/rpc/server.h.inc"
  return absl::OkStatus();
}

void ServerSettingsExample() {
#include "examples/service/rpc/server_settings.h.inc"
}

void StreamExample(OpenStreams& streams) {
#include "examples/service/rpc/stream.h.inc"
}

void AsideExample() {
#include "examples/service/shared/aside.h.inc"
}

void OutdatedEntriesExample(OutdatedEntries& outdated, const std::string& entry,
                            const std::string& word, const std::string& held, const RedisTime& time,
                            absl::Time as_of) {
#include "examples/service/shared/outdated_entries.h.inc"
}

void UntoldExample(RedisClient& redis, const Clock& clock) {
#include "examples/service/shared/untold.h.inc"
}

void RedisClientExample(EventLoop& loop, const RedisUrl& url, const std::string& key) {
#include "examples/service/shared/redis_client.h.inc"
}

void SharedSourceExample(std::unique_ptr<Source> rest_source, std::shared_ptr<RedisClient> redis,
                         const FreshnessPolicy& policy, const Clock& clock) {
#include "examples/service/shared/shared_source.h.inc"
}

void LedgerExample(Ledger& ledger, const LedgerEntry& entry, const Credential& credential,
                   const std::string& caller, int64_t granted_in) {
#include "examples/service/source/ledger.h.inc"
}

void SecretFinderExample() {
#include "examples/service/source/secret_finder.h.inc"
}

void SourceExample(Source& source, Query query) {
#include "examples/service/source/source.h.inc"
}

void WriteMemoryExample(WriteMemory& memory, const NamedWrite& write, const OutcomePtr& outcome) {
#include "examples/service/source/write_memory.h.inc"
}

absl::Status TracingExample(HttpClient& curl, Source& source,
                            const std::function<std::string(absl::string_view)>& redact,
                            const std::function<void(bool, const std::string&)>& log) {
#include "examples/service/tracing/tracing.h.inc"
  return server.status();
}

void BudgetExample(uint64_t hash, absl::Time now) {
#include "examples/service/upstream/budget.h.inc"
}

void CallerSharesExample(absl::Time now) {
#include "examples/service/upstream/caller_shares.h.inc"
}

void PlacesExample(Places& places, uint64_t question, int64_t bucket, int64_t now) {
#include "examples/service/upstream/places.h.inc"
}

void RestSourceExample(Loop& loop, HttpClient& client, const Clock& clock) {
#include "examples/service/upstream/rest_source.h.inc"
}

void SlidingCountExample(int64_t slot, int64_t slots_of_window) {
#include "examples/service/upstream/sliding_count.h.inc"
}

void WatchesExample(Source& source, const Query& query, Loop& loop, const Clock& clock,
                    Reader& reader) {
#include "examples/service/watch/watches.h.inc"
}

}  // namespace pcap_gateway
