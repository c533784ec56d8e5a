#include "service/access/access_files.h"

#include <utility>

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
    : options_(std::move(options)),
      clock_(clock),
      log_(std::move(log)),
      watch_(options_.interval) {}

absl::Status AccessFiles::LoadTls() {
  if (options_.tls_cert_file.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<PublishedFile>> identity = PublishedFile::Create("tls-identity");
  if (!identity.ok()) return identity.status();
  identity_ = *std::move(identity);
  absl::Status status = LoadAndKeep(
      {{"tls-cert-file", options_.tls_cert_file}, {"tls-key-file", options_.tls_key_file}},
      kMostIdentityBytes, [this](const std::vector<std::string>& contents) {
        const absl::StatusOr<CheckedIdentity> checked = CheckIdentity(
            {.certificate_chain = contents[0], .private_key = contents[1]}, clock_.Now());
        if (!checked.ok()) return checked.status();
        // In one file, so that no reader gets the key of one and the certificate of another.
        const absl::Status published = identity_->Publish(checked->pem);
        if (published.ok()) not_after_ = absl::ToUnixSeconds(checked->not_after);
        return published;
      });
  if (!status.ok() || options_.tls_client_ca_file.empty()) return status;

  absl::StatusOr<std::unique_ptr<PublishedFile>> authorities =
      PublishedFile::Create("tls-client-ca");
  if (!authorities.ok()) return authorities.status();
  authorities_ = *std::move(authorities);
  return LoadAndKeep({{"tls-client-ca-file", options_.tls_client_ca_file}}, kMostAuthoritiesBytes,
                     [this](const std::vector<std::string>& contents) {
                       const absl::StatusOr<std::string> checked = CheckAuthorities(contents[0]);
                       return checked.ok() ? authorities_->Publish(*checked) : checked.status();
                     });
}

absl::Status AccessFiles::LoadPolicy() {
  if (options_.policy_file.empty()) return absl::OkStatus();
  return LoadAndKeep({{"policy-file", options_.policy_file}}, kMostPolicyBytes,
                     [this](const std::vector<std::string>& contents) {
                       absl::StatusOr<std::shared_ptr<const Policy>> policy =
                           Policy::Parse(contents[0]);
                       if (!policy.ok()) return policy.status();
                       policy_.Set(*std::move(policy));
                       return absl::OkStatus();
                     });
}

absl::Status AccessFiles::LoadAndKeep(std::vector<WatchedFiles::File> its, size_t most_bytes,
                                      WatchedFiles::Take take) {
  return watch_.Add(
      std::make_unique<WatchedFiles>(std::move(its), most_bytes, std::move(take), log_));
}

absl::Status AccessFiles::Add(const std::string& name, std::string path, size_t most_bytes,
                              WatchedFiles::Take take) {
  return LoadAndKeep({{name, std::move(path)}}, most_bytes, std::move(take));
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

}  // namespace pcap_gateway
