#include "service/operations/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

void Notify(const std::string& state) { sd_notify(/*unset_environment=*/0, state.c_str()); }

// systemd tells by it which reload is meant.
int64_t MonotonicMicroseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::ToInt64Microseconds(absl::DurationFromTimespec(now));
}

}  // namespace

void ServiceManager::Ready(absl::string_view status) const {
  std::string state = "READY=1\nSTATUS=";
  absl::StrAppend(&state, status);
  Notify(state);
}

void ServiceManager::Reloading() const {
  std::string state = "RELOADING=1\nMONOTONIC_USEC=";
  absl::StrAppend(&state, MonotonicMicroseconds(), "\nSTATUS=reloading");
  Notify(state);
}

void ServiceManager::Stopping(absl::string_view status, absl::Duration most) const {
  std::string state = "STOPPING=1\nEXTEND_TIMEOUT_USEC=";
  absl::StrAppend(&state, absl::ToInt64Microseconds(most), "\nSTATUS=", status);
  Notify(state);
}

void ServiceManager::Alive() const { Notify("WATCHDOG=1"); }

absl::Duration ServiceManager::watchdog_limit() {
  uint64_t limit = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &limit) <= 0) return absl::InfiniteDuration();
  return absl::Microseconds(static_cast<int64_t>(limit));
}

}  // namespace pcap_gateway
