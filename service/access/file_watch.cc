#include "service/access/file_watch.h"

#include <chrono>
#include <cstdint>

#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace pcap_gateway {
namespace {

// How long whoever asks for a look waits for it: main, which is to hear signals.
constexpr absl::Duration kPatience = absl::Seconds(1);

}  // namespace

// What the thread that looks needs. It may outlive the object: it is left behind where a file
// does not answer.
struct FileWatch::Watched {
  std::vector<std::unique_ptr<WatchedFiles>> files;  // not changed while the thread runs

  Mutex mutex;  // guards what `files` point to, too
  bool ending ABSL_GUARDED_BY(mutex) = false;
  bool running ABSL_GUARDED_BY(mutex) = false;
  uint64_t asked ABSL_GUARDED_BY(mutex) = 0;   // looks that were asked for
  uint64_t looked ABSL_GUARDED_BY(mutex) = 0;  // and those that are over
  WatchedFiles* reading ABSL_GUARDED_BY(mutex) =
      nullptr;     // these are being read just now, without the lock
  Condition wake;  // the thread
  Condition told;  // by it
};

FileWatch::FileWatch(absl::Duration interval)
    : interval_(interval), watch_(std::make_shared<Watched>()) {}

void FileWatch::Stop() {
  Lock lock(watch_->mutex);
  watch_->ending = true;
  watch_->wake.NotifyAll();
  // It ends at once, unless it reads a file that does not answer. Then it is left behind, with what
  // it needs, and touches nothing else any more.
  watch_->told.Wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(watch_->mutex) {
    return !watch_->running || watch_->reading;
  });
}

absl::Status FileWatch::Add(std::unique_ptr<WatchedFiles> files) {
  absl::Status status = files->Load();
  if (status.ok()) watch_->files.push_back(std::move(files));
  return status;
}

void FileWatch::Start() {
  if (watch_->files.empty()) return;
  {
    const Lock lock(watch_->mutex);
    watch_->running = true;
  }
  StartThread([watch = watch_, interval = interval_] { Run(*watch, interval); }).detach();
}

void FileWatch::Run(Watched& watch, absl::Duration interval) {
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

void FileWatch::LookNow() {
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

std::vector<std::pair<std::string, const ReloadStats*>> FileWatch::stats() const {
  std::vector<std::pair<std::string, const ReloadStats*>> all;
  all.reserve(watch_->files.size());
  for (const auto& files : watch_->files) all.emplace_back(files->name(), &files->stats());
  return all;
}

}  // namespace pcap_gateway
