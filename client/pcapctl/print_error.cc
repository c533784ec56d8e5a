#include "client/pcapctl/print_error.h"

#include "absl/strings/str_cat.h"
#include "client/pcapctl/human_duration.h"
#include "client/pcapctl/table.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {

std::string ErrorLines(const CallError& error, absl::string_view subject) {
  Table table;
  if (!error.reason.empty()) table.SubRow("reason", error.reason);
  for (const auto& [name, value] : error.metadata) {
    table.SubRow("detail", absl::StrCat(name, "=", value));
  }
  if (error.retry_after.has_value()) {
    // Rounded up, so that it is not too early.
    const absl::Duration delay = absl::Ceil(*error.retry_after, absl::Milliseconds(100));
    table.SubRow("retry after", HumanDuration(delay));
  }
  for (const FieldViolation& violation : error.field_violations) {
    table.SubRow("field", absl::StrCat(violation.field, ": ", violation.description));
  }
  for (const HelpLink& link : error.help_links) {
    table.SubRow("help", link.description.empty() ? link.url
                                                  : absl::StrCat(link.description, ": ", link.url));
  }
  if (!error.request_id.empty()) table.SubRow("request id", error.request_id);
  if (!error.cf_ray.empty()) table.SubRow("cf-ray", error.cf_ray);
  return absl::StrCat("pcapctl: ", TerminalText(subject), subject.empty() ? "" : ": ",
                      absl::StatusCodeToString(error.code), ": ", TerminalText(error.message), "\n",
                      table.Text());
}

}  // namespace pcap_client
