// The table of options: what each one is called, its default, what it means, and how its text is
// read. Parsing, --help and the tables of docs/configuration.md (docs/generate) all come from this.
//
// --help, --version, --check and --config stand beside it: they say what to do with the rest.
#ifndef PCAP_GATEWAY_SERVICE_OPTION_TABLE_H_
#define PCAP_GATEWAY_SERVICE_OPTION_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/options.h"

namespace pcap_gateway {

// What the rows read into. OptionsFrom (option_rules.h) makes Options of it.
struct OptionDraft : Options {
  // These make sense only together with others.
  bool insecure = false;
  bool allow_http_upstream = false;
  std::optional<int64_t> reserve;
  std::optional<int64_t> address_limit;
  bool callers_bring_credentials = false;
  std::string otlp_endpoint;
  std::string otlp_traces_endpoint;
  std::string traces_sampler;
  std::string traces_sampler_arg;
};

struct OptionRow {
  // Without dashes. A switch is also set by `--no-NAME` if its default is true.
  const char* name;
  bool is_switch = false;
  // The default as an operator would write it; "" if there is none, or `unset` says what holds.
  const char* preset = "";
  // What holds by default where no text stands for it; null: nothing that has to be told.
  const char* unset = nullptr;
  // A variable that others have for it, which counts below ours; null: there is none.
  const char* variable = nullptr;
  // What it means: one sentence without a full stop, for --help and the page.
  const char* what;
  // What the page tells beyond that, as sentences; null: nothing.
  const char* more = nullptr;
  // Puts what `text` says into the draft. The error says what is wanted, as the functions of
  // option_values.h do.
  absl::Status (*read)(const std::string& text, OptionDraft& draft);
};

struct OptionGroup {
  const char* name;
  absl::Span<const OptionRow> rows;
};

// All options, in the order in which they are shown.
absl::Span<const OptionGroup> OptionTable();

// The row of `name`; null: there is none.
const OptionRow* FindOption(absl::string_view name);

// `what`, the default that no text stands for, and the other variable, for --help.
std::string HelpOf(const OptionRow& row);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPTION_TABLE_H_
