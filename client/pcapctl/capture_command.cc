#include "client/pcapctl/capture_command.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/pcapctl/download_command.h"
#include "client/pcapctl/get_command.h"
#include "client/pcapctl/on_signal.h"
#include "client/pcapctl/packet_file.h"
#include "client/pcapctl/print_change.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/progress.h"
#include "client/pcapctl/terminal_text.h"
#include "client/pcapctl/wait_command.h"
#include "client/pcapctl/wait_plan.h"
#include "client/pcapctl/write_commands.h"
#include "pcap_client/pcap_id.h"

namespace pcap_client {
namespace {

using pcap::v1::Pcap;

class Capturing {
 public:
  Capturing(const Session& session, const CaptureArguments& arguments)
      : session_(session),
        arguments_(arguments),
        progress_(std::cerr, session.console.err_is_terminal, WidthOfStderr) {}

  int Run() {
    // What cannot be written is known before it costs a capture.
    if (is_simple() && !arguments_.file.empty()) {
      if (const absl::Status status = PacketFile::Check(arguments_.file, arguments_.force);
          !status.ok()) {
        return FailUsage(status.message());
      }
    }
    int exit_code = 0;
    const CallResult<CreatePcapAnswer> created =
        CreateOrTell(session_, arguments_.request, exit_code);
    if (!created.ok()) return exit_code;
    pcap_ = created->response.pcap();
    id_ = TerminalText(IdOf(pcap_));
    SayHowToGoOn();
    Tell();
    if (!IsFinal(StatusOf(pcap_))) exit_code = Await();
    progress_.Clear();
    if (exit_code != 0) {
      std::cerr << HowToGoOn();
      return exit_code;
    }
    if (StatusOf(pcap_) == pcap::v1::PCAP_STATUS_FAILED) {
      OnSignal::Say("");
      std::cerr << "pcapctl: the capture " << id_ << " " << StateText(pcap_) << "\n";
      return kCaptureFailed;
    }
    return Fetch();
  }

 private:
  bool is_simple() const { return arguments_.request.has_simple(); }

  std::optional<absl::Duration> TimeLeft() const {
    if (!arguments_.timeout.has_value()) return std::nullopt;
    return std::max(*arguments_.timeout - (absl::Now() - began_), absl::Milliseconds(1));
  }

  // Until it is final, in `pcap_`. The exit code.
  int Await() {
    pcap::v1::WatchPcapsRequest request;
    request.set_account_id(session_.account_id);
    request.add_pcap_ids(IdOf(pcap_));
    CallOptions options = session_.call;
    options.timeout = TimeLeft();
    WatchStream stream = session_.client.WatchPcaps(request, options);
    for (const pcap::v1::WatchPcapsResponse& message : stream) {
      pcap_ = message.pcap();
      Tell();
    }
    if (stream.Outcome().ok()) return 0;
    progress_.Clear();
    return Fail(session_.console.Explained(stream.Outcome().error()));
  }

  void Tell() {
    const std::string line = absl::StrCat(id_, "  ", StateText(pcap_));
    const std::string changes = line == told_ ? "" : line + "\n";
    told_ = line;
    progress_.Show(line, changes, absl::Now() - began_);
  }

  // The exit code.
  int Fetch() {
    if (is_simple()) {
      SayHowToGoOn();
      const int exit_code = Download(session_, {.pcap_id = IdOf(pcap_),
                                                .file = arguments_.file,
                                                .force = arguments_.force,
                                                .timeout = TimeLeft()});
      if (exit_code != 0) std::cerr << HowToGoOn();
      return exit_code;
    }
    OnSignal::Say("");
    GetPcapAnswer answer;
    *answer.response.mutable_pcap() = pcap_;
    const absl::StatusOr<std::string> text =
        TextOf({{.answer = &answer}}, Shape::kOne, arguments_.output, session_.console);
    return text.ok() ? PrintAndExit(*text) : Fail(text.status());
  }

  std::string HowToGoOn() const {
    if (IsFinal(StatusOf(pcap_))) {
      return absl::StrCat("pcapctl: the packets are there: pcapctl download ", id_, "\n");
    }
    if (is_simple()) {
      return absl::StrCat("pcapctl: the capture goes on: pcapctl wait ", id_,
                          " && pcapctl download ", id_, "\n");
    }
    return absl::StrCat("pcapctl: the capture goes on: pcapctl watch ", id_,
                        "; to end it: pcapctl stop ", id_, "\n");
  }

  void SayHowToGoOn() const {
    // On a terminal, after the line of progress with ^C at its end.
    OnSignal::Say(absl::StrCat(session_.console.err_is_terminal ? "\n" : "", HowToGoOn()));
  }

  const Session& session_;
  const CaptureArguments& arguments_;
  Progress progress_;
  const absl::Time began_ = absl::Now();
  Pcap pcap_;
  std::string id_;
  std::string told_;
};

}  // namespace

int Capture(const Session& session, const CaptureArguments& arguments) {
  return Capturing(session, arguments).Run();
}

}  // namespace pcap_client
