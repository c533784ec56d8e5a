#include "service/readiness.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace pcap_gateway {
namespace {

// So long Cloudflare may say nothing.
constexpr absl::Duration kPatience = absl::Seconds(10);
// Between two questions; doubled each time.
constexpr absl::Duration kFirstPause = absl::Seconds(1);
constexpr absl::Duration kLongestPause = absl::Minutes(1);

}  // namespace

// What runs on the loop holds it.
class Readiness::Wait : public std::enable_shared_from_this<Wait> {
 public:
  Wait(Loop& loop, HttpClient& client, ReadinessOptions options)
      : loop_(loop), client_(client), options_(std::move(options)) {
    options_.question.timeout = std::min(options_.question.timeout, kPatience);
  }

  // The loop's thread.
  void Begin() {
    const uint64_t number = ++begun_;
    loop_.After(kPatience, [self = shared_from_this(), number] { self->LosePatience(number); });
    pause_ = kFirstPause;
    is_rejected_ = false;
    is_impatient_ = false;
    Ask();
  }

  // The loop's thread.
  void Replace(std::shared_ptr<const Credential> credential) {
    if (IsOver()) return;
    options_.question.credential = std::move(credential);
    Begin();
  }

  // Any thread.
  void End() {
    const Lock lock(mutex_);
    over_ = true;
  }

  // Any thread.
  std::string waits_for() const {
    const Lock lock(mutex_);
    return over_ ? "" : waits_for_;
  }

 private:
  bool IsOver() const {
    const Lock lock(mutex_);
    return over_;
  }

  void Ask() {
    const uint64_t number = ++asked_;
    AskAboutCredential(client_, options_.question,
                       [self = shared_from_this(), number](const absl::Status& status) {
                         self->Hear(number, status);
                       });
  }

  void Hear(uint64_t number, const absl::Status& status) {
    const Lock lock(mutex_);
    if (over_ || number != asked_) return;
    if (status.ok()) return BeReady(true, "ready: Cloudflare accepts the credential");
    std::string reason(status.message());
    if (absl::IsInvalidArgument(status)) {
      is_rejected_ = true;
    } else if (is_rejected_) {
      // It does not unsay its no.
      reason = waits_for_;
    } else if (is_impatient_) {
      return BeReadyAllTheSame(reason);
    }
    if (reason != waits_for_) options_.log(false, absl::StrCat("not ready: ", reason));
    waits_for_ = std::move(reason);
    loop_.After(pause_, [self = shared_from_this(), number] { self->AskAgain(number); });
    pause_ = std::min(2 * pause_, kLongestPause);
  }

  void AskAgain(uint64_t number) {
    if (!IsOver() && number == asked_) Ask();
  }

  void LosePatience(uint64_t number) {
    const Lock lock(mutex_);
    if (over_ || number != begun_) return;
    is_impatient_ = true;
    if (!is_rejected_) BeReadyAllTheSame(waits_for_);
  }

  // Under the lock, as the next one: once End returns, nobody is called.
  void BeReadyAllTheSame(const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    BeReady(false, absl::StrCat("ready all the same: Cloudflare has not said for ",
                                absl::FormatDuration(kPatience),
                                " whether it accepts the credential: ", reason));
  }

  void BeReady(bool is_good, const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    over_ = true;
    options_.log(is_good, line);
    options_.ready();
  }

  Loop& loop_;
  HttpClient& client_;
  // The loop's thread only, down to the lock.
  ReadinessOptions options_;
  uint64_t begun_ = 0;  // credentials; the last one counts
  uint64_t asked_ = 0;  // questions; likewise
  absl::Duration pause_ = kFirstPause;
  bool is_rejected_ = false;
  bool is_impatient_ = false;

  mutable Mutex mutex_;                        // guards calls of `ready` and `log`, too
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // it is ready, or nobody wants to know any more
  std::string waits_for_ ABSL_GUARDED_BY(mutex_) =
      "--credential: Cloudflare has not said yet whether it accepts it";
};

Readiness::Readiness(Loop& loop, HttpClient& client, ReadinessOptions options)
    : loop_(loop), wait_(std::make_shared<Wait>(loop, client, std::move(options))) {
  loop_.Post([wait = wait_] { wait->Begin(); });
}

Readiness::~Readiness() { wait_->End(); }

void Readiness::SetCredential(std::shared_ptr<const Credential> credential) {
  loop_.Post([wait = wait_, credential = std::move(credential)]() mutable {
    wait->Replace(std::move(credential));
  });
}

std::string Readiness::waits_for() const { return wait_->waits_for(); }

}  // namespace pcap_gateway
