#include "service/access/watched_files.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace pcap_gateway {

WatchedFiles::WatchedFiles(std::string name, std::vector<std::string> paths, size_t most_bytes,
                           Take take, Log log)
    : name_(std::move(name)),
      paths_(std::move(paths)),
      most_bytes_(most_bytes),
      take_(std::move(take)),
      log_(std::move(log)) {}

absl::Status WatchedFiles::Load() {
  const absl::Status status = Read(seen_);
  return status.ok() ? take_(seen_) : status;
}

void WatchedFiles::Look(Patience patience) {
  std::vector<std::string> contents;
  absl::Status status = Read(contents);
  const bool is_news = contents != seen_ || (!status.ok() && objection_.ok());
  if (is_news) {
    seen_ = std::move(contents);
    if (status.ok()) status = take_(seen_);
    objection_ = status;
    complained_ = status.ok();
    if (status.ok()) {
      stats_.reloaded.Add();
      return log_(true, absl::StrCat("--", name_, ": reloaded"));
    }
    if (patience == Patience::kSettled) return;
  }
  if (!complained_) Complain(objection_);
}

absl::Status WatchedFiles::Read(std::vector<std::string>& contents) const {
  contents.clear();
  for (const std::string& path : paths_) {
    std::ifstream file(path, std::ios::binary);
    std::string& content = contents.emplace_back(most_bytes_ + 1, '\0');
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<size_t>(file.gcount()));
    if (file.bad() || (file.fail() && !file.eof())) {
      contents.clear();
      return absl::NotFoundError("cannot be read");
    }
    if (content.size() > most_bytes_) {
      contents.clear();
      return absl::InvalidArgumentError("is too large");
    }
  }
  return absl::OkStatus();
}

void WatchedFiles::Complain(const absl::Status& status) {
  complained_ = true;
  stats_.refused.Add();
  log_(false, absl::StrCat("--", name_,
                           ": the new file is of no use, the old one is kept: ", status.message()));
}

}  // namespace pcap_gateway
