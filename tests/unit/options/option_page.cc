// Prints the table of options as docs/configuration.md has it, for docs/generate.
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "service/option_table.h"

namespace pcap_gateway {
namespace {

std::string NamesOf(const OptionRow& row) {
  const bool is_on = row.is_switch && *row.preset != '\0';
  return absl::StrCat("`--", row.name, "`", is_on ? absl::StrCat(", `--no-", row.name, "`") : "");
}

std::string DefaultOf(const OptionRow& row) {
  if (row.is_switch) return *row.preset != '\0' ? "on" : "off";
  if (*row.preset != '\0') return absl::StrCat("`", row.preset, "`");
  return row.unset != nullptr ? row.unset : "none";
}

std::string MeaningOf(const OptionRow& row) {
  return absl::StrCat(row.what, ".", row.more != nullptr ? absl::StrCat(" ", row.more) : "",
                      row.variable != nullptr ? absl::StrCat(" Also `", row.variable, "`.") : "");
}

std::string Page() {
  std::string page;
  for (const OptionGroup& group : OptionTable()) {
    absl::StrAppend(&page, "### ", group.name,
                    "\n\n| option | default | meaning |\n|---|---|---|\n");
    for (const OptionRow& row : group.rows) {
      absl::StrAppend(&page, "| ", NamesOf(row), " | ", DefaultOf(row), " | ", MeaningOf(row),
                      " |\n");
    }
    absl::StrAppend(&page, "\n");
  }
  page.pop_back();
  return page;
}

}  // namespace
}  // namespace pcap_gateway

int main() { return std::fputs(pcap_gateway::Page().c_str(), stdout) < 0 ? 1 : 0; }
