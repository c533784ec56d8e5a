#include "client/pcapctl/wait_command.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/pcapctl/ask_all.h"
#include "client/pcapctl/print_list.h"
#include "client/pcapctl/print_table.h"
#include "client/pcapctl/progress.h"
#include "client/pcapctl/terminal_text.h"
#include "client/pcapctl/wait_plan.h"

namespace pcap_client {
namespace {

// One capture that is waited for.
struct Watched {
  std::string id;
  std::optional<GetPcapAnswer> answer;  // the last one
  std::optional<CallError> error;       // since then
  int failures = 0;                     // in a row
  std::string said;                     // what was last told of it
  bool over = false;

  pcap::v1::PcapStatus status() const {
    return answer.has_value() ? StatusOf(answer->response.pcap())
                              : pcap::v1::PCAP_STATUS_UNSPECIFIED;
  }
};

std::string Words(const Watched& one) {
  if (one.error.has_value()) {
    const std::string code = absl::StatusCodeToString(one.error->code);
    // Why it is over is told at the end, with all details.
    return one.over ? code : absl::StrCat(code, ": ", one.error->message);
  }
  if (!one.answer.has_value()) return "";
  std::string words = StatusText(one.status());
  const pcap::v1::Pcap& pcap = one.answer->response.pcap();
  if (pcap.full().has_packets_captured()) {
    absl::StrAppend(&words, ", ", pcap.full().packets_captured(), " packets");
  }
  return words;
}

class Waiting {
 public:
  Waiting(const PcapClient& client, const WaitArguments& arguments, const CallOptions& options,
          const Console& console)
      : client_(client),
        arguments_(arguments),
        options_(options),
        console_(console),
        progress_(std::cerr, console.err_is_terminal, WidthOfStderr) {
    for (const std::string& id : arguments.pcaps.pcap_ids) watched_.push_back({.id = id});
  }

  int Run() {
    while (true) {
      AskOnce();
      Tell();
      if (AllOver()) break;
      const absl::Duration left = deadline_ - absl::Now();
      if (left <= absl::ZeroDuration()) break;
      absl::SleepFor(std::min(Pause(), left));
    }
    progress_.Clear();
    return End();
  }

 private:
  void AskOnce() {
    std::vector<Watched*> open;
    std::vector<pcap::v1::GetPcapRequest> requests;
    for (Watched& one : watched_) {
      if (one.over) continue;
      open.push_back(&one);
      requests.push_back(RequestFor(one.id, arguments_.pcaps));
    }
    CallOptions options = options_;
    // The time that is left, and at least a little: the first question is always asked.
    const absl::Duration left = std::max(deadline_ - absl::Now(), absl::Milliseconds(1));
    const absl::Duration usual = options.timeout.value_or(ClientOptions().timeout);
    options.timeout = std::min(usual, left);
    AskAll(client_, requests, options, [&](size_t index, CallResult<GetPcapAnswer> result) {
      // That the time is up is no news of a capture that was seen.
      const bool time_is_up = left <= usual && !result.ok() &&
                              result.error().code == absl::StatusCode::kDeadlineExceeded;
      if (time_is_up && open[index]->answer.has_value()) return;
      reached_ = reached_ || result.ok() || !result.error().no_connection;
      Take(std::move(result), *open[index]);
    });
  }

  void Take(CallResult<GetPcapAnswer> result, Watched& one) const {
    if (result.ok()) {
      one.answer = *std::move(result);
      one.error.reset();
      one.failures = 0;
      one.over = IsFinal(one.status());
    } else {
      one.error = std::move(result).error();
      ++one.failures;
      one.over = !IsPassing(*one.error) || !reached_;
    }
  }

  void Tell() {
    std::string changes;
    std::string failures;
    size_t over = 0;
    std::string of_the_open;
    for (Watched& one : watched_) {
      const std::string words = Words(one);
      if (one.over) {
        ++over;
      } else if (of_the_open.empty()) {
        of_the_open = LineOf(one, words);
      }
      if (words != one.said) {
        std::string& lines = one.error.has_value() ? failures : changes;
        absl::StrAppend(&lines, LineOf(one, words), "\n");
      }
      one.said = words;
    }
    const std::string count =
        watched_.size() > 1 ? absl::StrCat(over, " of ", watched_.size(), " ended  ") : "";
    // The one that fails alone is told of at the end.
    if (!AllOver()) progress_.Note(failures);
    progress_.Show(absl::StrCat(count, of_the_open), changes, absl::Now() - began_);
  }

  static std::string LineOf(const Watched& one, const std::string& words) {
    return absl::StrCat(TerminalText(one.id), "  ", TerminalText(words));
  }

  bool AllOver() const {
    return std::all_of(watched_.begin(), watched_.end(),
                       [](const Watched& one) { return one.over; });
  }

  // Until the first of the open ones has news; but a failure's pause holds for all: it is the
  // gateway that wants to be left alone.
  absl::Duration Pause() const {
    absl::Duration first = absl::InfiniteDuration();
    absl::Duration least = absl::ZeroDuration();
    for (const Watched& one : watched_) {
      if (one.over) continue;
      if (one.error.has_value()) {
        least = std::max(least, PauseAfter(*one.error, one.failures));
      } else if (one.answer.has_value()) {
        first = std::min(first, arguments_.interval.value_or(PauseAfter(one.answer->info)));
      }
    }
    return first == absl::InfiniteDuration() ? least : std::max(first, least);
  }

  int End() const {
    int exit_code = 0;
    const auto note = [&](int code) {
      if (exit_code == 0) exit_code = code;
    };
    std::vector<PcapRow> rows;
    bool any = false;
    for (const Watched& one : watched_) {
      PcapRow row{.id = one.id};
      if (one.over && one.error.has_value()) {
        note(Fail(console_.Explained(*one.error), watched_.size() > 1 ? one.id : ""));
        row.error = one.error->reason.empty() ? absl::StatusCodeToString(one.error->code)
                                              : one.error->reason;
      } else if (!one.over) {
        row.error = "not final in time";
        note(Fail({.code = absl::StatusCode::kDeadlineExceeded,
                   .message = absl::StrCat("not final in time; last seen: ", Words(one))},
                  one.id));
      }
      if (one.answer.has_value() && !(one.over && one.error.has_value())) {
        if (one.status() == pcap::v1::PCAP_STATUS_FAILED) note(kCaptureFailed);
        row.answer = &*one.answer;
        any = true;
      }
      rows.push_back(std::move(row));
    }
    if (!any && watched_.size() == 1) return exit_code;
    const absl::StatusOr<std::string> text =
        TextOf(rows, ShapeOf(rows), arguments_.pcaps.output, console_);
    if (!text.ok()) return Fail(text.status());
    return PrintAndExit(*text, exit_code);
  }

  const PcapClient& client_;
  const WaitArguments& arguments_;
  const CallOptions& options_;
  const Console& console_;
  Progress progress_;
  const absl::Time began_ = absl::Now();
  const absl::Time deadline_ = began_ + arguments_.timeout;
  std::vector<Watched> watched_;
  bool reached_ = false;  // somebody answered: what fails from now on was right once
};

}  // namespace

int Wait(const PcapClient& client, const WaitArguments& arguments, const CallOptions& options,
         const Console& console) {
  return Waiting(client, arguments, options, console).Run();
}

}  // namespace pcap_client
