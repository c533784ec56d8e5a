// KeptLines: a log's lines, for a test to look at.
#ifndef PCAP_GATEWAY_TESTS_UNIT_CALL_LOG_KEPT_LINES_H_
#define PCAP_GATEWAY_TESTS_UNIT_CALL_LOG_KEPT_LINES_H_

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "service/operations/log_output.h"

namespace pcap_gateway {

// Thread-safe.
class KeptLines {
 public:
  void Add(absl::string_view line) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(line);
  }

  std::vector<std::string> Text() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

  std::vector<nlohmann::json> Json() const {
    std::vector<nlohmann::json> parsed;
    for (const std::string& line : Text()) parsed.push_back(nlohmann::json::parse(line));
    return parsed;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class KeepingOutput final : public LogOutput {
 public:
  explicit KeepingOutput(std::shared_ptr<KeptLines> lines) : lines_(std::move(lines)) {}

  bool Write(absl::string_view line) override {
    lines_->Add(line);
    return true;
  }

 private:
  const std::shared_ptr<KeptLines> lines_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_UNIT_CALL_LOG_KEPT_LINES_H_
