#include "service/access/access_files.h"

#include <chrono>
#include <utility>

#include "service/access/tls_identity.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostIdentityBytes = 1 << 20;
constexpr size_t kMostAuthoritiesBytes = 16 << 20;

// How long whoever asks for a look waits for it: main, which is to hear signals.
constexpr absl::Duration kPatience = absl::Seconds(1);

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
  Lock lock(watch_->mutex);
  watch_->ending = true;
  watch_->wake.NotifyAll();
  // It ends at once, unless it reads a file that does not answer. Then it is left behind, with what
  // it needs, and touches nothing else any more.
  watch_->told.Wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(watch_->mutex) {
    return !watch_->running || watch_->reading;
  });
}

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
  auto files = std::make_unique<WatchedFiles>(std::move(its), most_bytes, std::move(take), log_);
  absl::Status status = files->Load();
  if (status.ok()) watch_->files.push_back(std::move(files));
  return status;
}

absl::Status AccessFiles::Add(const std::string& name, std::string path, size_t most_bytes,
                              WatchedFiles::Take take) {
  return LoadAndKeep({{name, std::move(path)}}, most_bytes, std::move(take));
}

void AccessFiles::Watch() {
  if (watch_->files.empty()) return;
  {
    const Lock lock(watch_->mutex);
    watch_->running = true;
  }
  StartThread([watch = watch_, interval = options_.interval] { Run(*watch, interval); }).detach();
}

void AccessFiles::Run(Watched& watch, absl::Duration interval) {
  Lock lock(watch.mutex);
  while (true) {
    watch.wake.WaitFor(lock, absl::ToChronoMilliseconds(interval),
                       [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(watch.mutex) {
                         return watch.ending || watch.looked < watch.asked;
                       });
    const uint64_t asked = watch.asked;
    const auto patience =
        watch.looked < asked ? WatchedFiles::Patience::kNone : WatchedFiles::Patience::kSettled;
    for (size_t i = 0; i < watch.files.size() && !watch.ending; ++i) {
      WatchedFiles& files = *watch.files[i];
      watch.reading = &files;
      lock.Unlock();
      auto read = files.Read();
      lock.Relock();
      watch.reading = nullptr;
      if (!watch.ending) files.Look(std::move(read), patience);
    }
    watch.looked = asked;
    watch.running = !watch.ending;
    watch.told.NotifyAll();
    if (watch.ending) return;
  }
}

void AccessFiles::LookNow() {
  Lock lock(watch_->mutex);
  if (!watch_->running) {
    for (const auto& files : watch_->files) files->Look(WatchedFiles::Patience::kNone);
    return;
  }
  const uint64_t mine = ++watch_->asked;
  watch_->wake.NotifyAll();
  const bool looked = watch_->told.WaitFor(
      lock, absl::ToChronoMilliseconds(kPatience),
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(watch_->mutex) { return watch_->looked >= mine; });
  if (!looked && watch_->reading != nullptr) watch_->reading->TellThatItHangs();
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
  all.reserve(watch_->files.size());
  for (const auto& files : watch_->files) all.emplace_back(files->name(), &files->stats());
  return all;
}

}  // namespace pcap_gateway
