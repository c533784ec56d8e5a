#include "tests/history/chaos.h"

#include "absl/strings/str_split.h"

namespace pcap_gateway {
namespace {

constexpr uint64_t kOften = 2000;  // calls

}  // namespace

void Chaos::Befall(uint64_t call) {
  const uint64_t since = call % kOften;
  if (since != 0 && since != 200 && since != 1000) return;
  const std::lock_guard lock(mutex_);
  ++events_;
  if (since == 200 && paused_) {
    redis_.Continue();
    paused_ = false;
  } else if (since == 1000 && killed_) {
    redis_.Start();
    killed_ = false;
  } else if (since == 0 && !killed_ && !paused_) {
    switch (random_() % 4) {
      case 0:
        redis_.Kill();
        killed_ = true;
        ++kills_;
        break;
      case 1:
        redis_.Pause();
        paused_ = true;
        ++pauses_;
        break;
      case 2:
        redis_.Cli({"FLUSHALL"});
        break;
      default:
        Spoil();
    }
  }
  ++events_;
}

void Chaos::Spoil() {
  const std::vector<std::string> names =
      absl::StrSplit(redis_.Cli({"KEYS", "*"}), '\n', absl::SkipEmpty());
  if (names.empty()) return;
  for (const std::string& name : names) {
    if (random_() % 2 == 0) {
      redis_.Cli({"COPY", names[random_() % names.size()], name, "REPLACE"});
    } else {
      redis_.Cli({"SETRANGE", name, std::to_string(random_() % 40), "x"});
    }
    ++spoilt_;
  }
}

void Chaos::End() {
  const std::lock_guard lock(mutex_);
  if (paused_) redis_.Continue();
  if (killed_) redis_.Start();
  paused_ = killed_ = false;
}

}  // namespace pcap_gateway
