#include "service/access/access_files.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/access/tls_identity.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostIdentityBytes = 1 << 20;
constexpr size_t kMostAuthoritiesBytes = 16 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<AccessFiles>> AccessFiles::Load(const AccessOptions& options,
                                                               const Clock& clock,
                                                               WatchedFiles::Log log) {
  std::unique_ptr<AccessFiles> files(new AccessFiles(options, clock, std::move(log)));
  absl::Status status = files->LoadTls();
  if (status.ok()) status = files->LoadPolicy();
  if (!status.ok()) return status;
  return files;
}

AccessFiles::AccessFiles(AccessOptions options, const Clock& clock, WatchedFiles::Log log)
    : options_(std::move(options)), clock_(clock), log_(std::move(log)) {}

AccessFiles::~AccessFiles() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

absl::Status AccessFiles::LoadTls() {
  if (options_.tls_cert_file.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<PublishedFile>> identity = PublishedFile::Create("tls-identity");
  if (!identity.ok()) return identity.status();
  identity_ = *std::move(identity);
  absl::Status status = LoadAndKeep(
      "tls-cert-file", {options_.tls_cert_file, options_.tls_key_file}, kMostIdentityBytes,
      [this](const std::vector<std::string>& contents) {
        const absl::StatusOr<absl::Time> ends = CheckIdentity(
            {.certificate_chain = contents[0], .private_key = contents[1]}, clock_.Now());
        if (!ends.ok()) return ends.status();
        // In one file, so that no reader gets the key of one and the certificate of another.
        const absl::Status published =
            identity_->Publish(absl::StrCat(contents[1], "\n", contents[0]));
        if (published.ok()) not_after_ = absl::ToUnixSeconds(*ends);
        return published;
      });
  if (!status.ok() || options_.tls_client_ca_file.empty()) return status;

  absl::StatusOr<std::unique_ptr<PublishedFile>> authorities =
      PublishedFile::Create("tls-client-ca");
  if (!authorities.ok()) return authorities.status();
  authorities_ = *std::move(authorities);
  return LoadAndKeep("tls-client-ca-file", {options_.tls_client_ca_file}, kMostAuthoritiesBytes,
                     [this](const std::vector<std::string>& contents) {
                       const absl::Status status = CheckAuthorities(contents[0]);
                       return status.ok() ? authorities_->Publish(contents[0]) : status;
                     });
}

absl::Status AccessFiles::LoadPolicy() {
  if (options_.policy_file.empty()) return absl::OkStatus();
  return LoadAndKeep("policy-file", {options_.policy_file}, kMostPolicyBytes,
                     [this](const std::vector<std::string>& contents) {
                       absl::StatusOr<std::shared_ptr<const Policy>> policy =
                           Policy::Parse(contents[0]);
                       if (!policy.ok()) return policy.status();
                       policy_.Set(*std::move(policy));
                       return absl::OkStatus();
                     });
}

absl::Status AccessFiles::LoadAndKeep(const std::string& name, std::vector<std::string> paths,
                                      size_t most_bytes, WatchedFiles::Take take) {
  auto files =
      std::make_unique<WatchedFiles>(name, std::move(paths), most_bytes, std::move(take), log_);
  const absl::Status status = files->Load();
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat("--", name, ": ", status.message()));
  }
  files_.push_back(std::move(files));
  return absl::OkStatus();
}

absl::Status AccessFiles::Add(const std::string& name, std::string path, size_t most_bytes,
                              WatchedFiles::Take take) {
  return LoadAndKeep(name, {std::move(path)}, most_bytes, std::move(take));
}

void AccessFiles::Watch() {
  if (files_.empty()) return;
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    const auto interval = absl::ToChronoMilliseconds(options_.interval);
    while (!wake_.wait_for(lock, interval, [this] { return ending_; })) {
      lock.unlock();
      Look(WatchedFiles::Patience::kSettled);
      lock.lock();
    }
  });
}

void AccessFiles::LookNow() { Look(WatchedFiles::Patience::kNone); }

void AccessFiles::Look(WatchedFiles::Patience patience) {
  const std::lock_guard lock(look_mutex_);
  for (const auto& files : files_) files->Look(patience);
}

std::string AccessFiles::identity_path() const {
  return identity_ == nullptr ? "" : identity_->path();
}

std::optional<absl::Time> AccessFiles::not_after() const {
  if (identity_ == nullptr) return std::nullopt;
  return absl::FromUnixSeconds(not_after_.load());
}

std::string AccessFiles::authorities_path() const {
  return authorities_ == nullptr ? "" : authorities_->path();
}

std::vector<std::pair<std::string, const ReloadStats*>> AccessFiles::stats() const {
  std::vector<std::pair<std::string, const ReloadStats*>> all;
  all.reserve(files_.size());
  for (const auto& files : files_) all.emplace_back(files->name(), &files->stats());
  return all;
}

}  // namespace pcap_gateway
