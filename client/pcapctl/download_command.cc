#include "client/pcapctl/download_command.h"

#include <cstdint>
#include <iostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/pcapctl/byte_count.h"
#include "client/pcapctl/packet_file.h"
#include "client/pcapctl/pcap_id.h"
#include "client/pcapctl/progress.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

// Often enough for an eye.
constexpr absl::Duration kBetweenShows = absl::Milliseconds(100);

class Downloading {
 public:
  Downloading(const Session& session, const DownloadArguments& arguments, std::string pcap_id)
      : session_(session),
        arguments_(arguments),
        pcap_id_(std::move(pcap_id)),
        progress_(std::cerr, session.console.err_is_terminal, WidthOfStderr) {}

  int Run() {
    const std::string path = FileOf(arguments_);
    absl::StatusOr<PacketFile> file = PacketFile::Open(path, arguments_.force);
    if (!file.ok()) return FailUsage(file.status().message());
    if (const int code = Take(*file); code != 0) return code;
    if (const absl::Status status = file->Finish(); !status.ok()) return Fail(status);
    progress_.Clear();
    return path == "-" ? 0 : PrintAndExit(TerminalText(path) + "\n");
  }

 private:
  // The exit code.
  int Take(PacketFile& file) {
    pcap::v1::DownloadPcapRequest request;
    request.set_account_id(session_.account_id);
    request.set_pcap_id(pcap_id_);
    CallOptions options = session_.call;
    options.timeout = arguments_.timeout;
    DownloadStream stream = session_.client.DownloadPcap(request, options);
    for (const pcap::v1::DownloadPcapResponse& message : stream) {
      if (message.has_total_bytes()) total_ = message.total_bytes();
      if (const absl::Status status = file.Write(message.data()); !status.ok()) {
        progress_.Clear();
        return Fail(status);
      }
      came_ += static_cast<int64_t>(message.data().size());
      Show();
    }
    progress_.Clear();
    if (!stream.Outcome().ok()) return Fail(session_.console.Explained(stream.Outcome().error()));
    if (total_.has_value() && *total_ != came_) {
      return Fail(absl::DataLossError(absl::StrCat("the file ended after ", came_, " of ", *total_,
                                                   " bytes; nothing of it was kept")));
    }
    return 0;
  }

  void Show() {
    const absl::Time now = absl::Now();
    if (now < shown_ + kBetweenShows) return;
    shown_ = now;
    std::string line = absl::StrCat(pcap_id_, "  ", ByteCount(came_));
    if (total_.has_value()) {
      absl::StrAppend(&line, " of ", ByteCount(*total_));
      if (*total_ > 0) absl::StrAppend(&line, ", ", 100 * came_ / *total_, " %");
    }
    progress_.Show(line, "", now - began_);
  }

  const Session& session_;
  const DownloadArguments& arguments_;
  const std::string pcap_id_;
  Progress progress_;
  const absl::Time began_ = absl::Now();
  absl::Time shown_ = absl::InfinitePast();
  int64_t came_ = 0;
  std::optional<int64_t> total_;
};

}  // namespace

std::string FileOf(const DownloadArguments& arguments) {
  if (!arguments.file.empty()) return arguments.file;
  return absl::StrCat(FoldedId(arguments.pcap_id).value_or(arguments.pcap_id), ".pcap");
}

int Download(const Session& session, const DownloadArguments& arguments) {
  absl::StatusOr<std::string> id = FoldedId(arguments.pcap_id);
  if (!id.ok()) return Fail(id.status());
  return Downloading(session, arguments, *std::move(id)).Run();
}

}  // namespace pcap_client
