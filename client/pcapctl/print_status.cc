#include "client/pcapctl/print_status.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/pcapctl/age.h"
#include "client/pcapctl/human_duration.h"
#include "client/pcapctl/table.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

using Json = nlohmann::ordered_json;
using State = ServiceHealth::State;

// Callers' credentials may be many.
constexpr size_t kMostBudgets = 5;

// A century.
constexpr double kLongestUptimeSeconds = 100 * 365 * 86'400.0;

struct Words {
  absl::string_view table;
  absl::string_view json;
};

Words WordsOf(State state) {
  switch (state) {
    case State::kServing:
      return {"serving", "SERVING"};
    case State::kNotServing:
      return {"not serving", "NOT_SERVING"};
    case State::kNotKnown:
      return {"not known", "UNKNOWN"};
    case State::kNotThere:
      return {"not there", "SERVICE_UNKNOWN"};
    case State::kNoAnswer:
      break;
  }
  return {"no answer", "NO_ANSWER"};
}

// A report, of which nothing is taken for granted: it comes from another process, maybe an older
// one, and the address may be anybody's.
class Report {
 public:
  explicit Report(const std::string& text)
      : json_(Json::parse(text, nullptr, /*allow_exceptions=*/false)) {}

  bool IsOne() const { return json_.is_object() && Find({"version"}) != nullptr; }

  // nullptr: there is no such member.
  const Json* Find(std::initializer_list<const char*> path) const {
    const Json* at = &json_;
    for (const char* const name : path) {
      if (!at->is_object()) return nullptr;
      const auto found = at->find(name);
      if (found == at->end()) return nullptr;
      at = &*found;
    }
    return at;
  }

  // 0 and "" where there is none.
  double Number(std::initializer_list<const char*> path) const { return NumberOf(Find(path)); }
  std::string Text(std::initializer_list<const char*> path) const { return TextOf(Find(path)); }

  static double NumberOf(const Json* json) {
    return json != nullptr && json->is_number() ? json->get<double>() : 0;
  }
  static std::string TextOf(const Json* json) {
    return json != nullptr && json->is_string() ? json->get<std::string>() : "";
  }

 private:
  Json json_;
};

std::string Count(double number) { return absl::StrFormat("%.0f", number); }

// "1.5 MiB"
std::string Bytes(double bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB"};
  double number = bytes / 1024;
  size_t unit = 0;
  for (; number >= 1024 && unit + 1 < std::size(kUnits); ++unit) number /= 1024;
  return absl::StrFormat("%.1f %s", number, kUnits[unit]);
}

void AddCache(const Report& report, Table& table) {
  if (report.Find({"cache"}) == nullptr) return table.Row("Cache", "off");
  const double hits = report.Number({"cache", "hits"});
  const double calls = hits + report.Number({"cache", "misses"});
  const std::string share =
      calls > 0 ? absl::StrFormat("%.1f %% of %.0f calls hit", 100 * hits / calls, calls)
                : "no calls yet";
  table.Row("Cache", absl::StrFormat("%s; %.0f entries, %s of %s", share,
                                     report.Number({"cache", "entries"}),
                                     Bytes(report.Number({"cache", "bytes"})),
                                     Bytes(report.Number({"cache", "limit_bytes"}))));
}

void AddUpstream(const Report& report, Table& table) {
  const std::string circuit = report.Text({"upstream", "circuit"});
  table.Row("Upstream",
            absl::StrCat(report.Text({"upstream", "url"}), "; ",
                         Count(report.Number({"upstream", "requests"})), " requests",
                         circuit.empty() || circuit == "none" ? "" : "; circuit " + circuit),
            circuit == "open" ? Tone::kBad : Tone::kPlain);
}

void AddBudgets(const Report& report, absl::Time now, Table& table) {
  const Json* const budgets = report.Find({"budgets"});
  if (budgets == nullptr || !budgets->is_array()) return;
  size_t shown = 0;
  for (const Json& budget : *budgets) {
    if (!budget.is_object()) continue;
    if (++shown > kMostBudgets) {
      table.Row("", absl::StrCat("and of ", budgets->size() - kMostBudgets, " more credentials"));
      return;
    }
    const auto member = [&](const char* name) {
      const auto found = budget.find(name);
      return found == budget.end() ? nullptr : &*found;
    };
    const double left = Report::NumberOf(member("left"));
    const std::string blocked = Report::TextOf(member("blocked_until"));
    table.Row(shown == 1 ? "Budget" : "",
              absl::StrCat(Count(left), " of ", Count(Report::NumberOf(member("limit"))),
                           " requests left for the ", Report::TextOf(member("owner")),
                           "'s credential ", Report::TextOf(member("fingerprint")),
                           blocked.empty() ? "" : "; blocked until ", WithAge(blocked, now)),
              left > 0 && blocked.empty() ? Tone::kPlain : Tone::kBad);
  }
}

void AddLastError(const Report& report, absl::Time now, Table& table) {
  const Json* const errors = report.Find({"errors"});
  if (errors == nullptr || !errors->is_array() || errors->empty()) return;
  const Json& latest = errors->front();
  if (!latest.is_object()) return;
  const auto text = [&](const char* name) {
    const auto found = latest.find(name);
    return found == latest.end() ? "" : Report::TextOf(&*found);
  };
  table.Row("Last error", absl::StrCat(WithAge(text("last"), now), " ", text("code"), " (",
                                       text("reason"), "): ", text("message")));
}

void AddReport(const std::string& text, absl::Time now, Table& table) {
  const Report report(text);
  if (!report.IsOne()) return table.Row("Details", "none: that is no gateway's report", Tone::kBad);
  table.Row("Version", report.Text({"version"}));
  const double uptime = std::clamp(report.Number({"uptime_seconds"}), 0.0, kLongestUptimeSeconds);
  table.Row("Uptime", HumanDuration(absl::Seconds(static_cast<int64_t>(uptime))));
  AddCache(report, table);
  AddUpstream(report, table);
  AddBudgets(report, now, table);
  if (const Json* const up = report.Find({"redis", "up"}); up != nullptr) {
    const bool good = up->is_boolean() && up->get<bool>();
    table.Row("Redis", good ? "up" : "down", good ? Tone::kGood : Tone::kBad);
  }
  AddLastError(report, now, table);
}

}  // namespace

bool GatewayStatus::serving() const {
  for (const ServiceHealth& service : services) {
    if (service.state != State::kServing) return false;
  }
  return !services.empty();
}

bool MayBeReportOf(const std::string& address, const std::string& report) {
  // The hosts differ where it listens on all of its addresses, or has several names.
  const auto port_of = [](const std::string& of) { return of.substr(of.rfind(':') + 1); };
  const std::string listens = Report(report).Text({"address"});
  return listens.empty() || absl::StartsWith(address, "unix:") ||
         port_of(listens) == port_of(address);
}

std::string StatusTable(const GatewayStatus& status, absl::Time now, const Palette& palette) {
  Table table;
  table.Row("Address", status.address);
  for (const ServiceHealth& service : status.services) {
    table.Row(service.service.empty() ? "Gateway" : service.service, WordsOf(service.state).table,
              service.state == State::kServing ? Tone::kGood : Tone::kBad);
  }
  if (status.report.ok()) {
    AddReport(*status.report, now, table);
  } else {
    table.Row("Details", absl::StrCat("none: ", status.report.status().message()), Tone::kFaint);
  }
  return table.Text(palette);
}

std::string StatusJson(const GatewayStatus& status) {
  Json services = Json::object();
  for (const ServiceHealth& service : status.services) {
    services[service.service] = std::string(WordsOf(service.state).json);
  }
  Json report = status.report.ok()
                    ? Json::parse(*status.report, nullptr, /*allow_exceptions=*/false)
                    : Json();
  if (!report.is_object()) report = nullptr;
  const Json json = {{"address", status.address},
                     {"serving", status.serving()},
                     {"services", std::move(services)},
                     {"report", std::move(report)}};
  return EscapedText(json.dump(-1, ' ', false, Json::error_handler_t::replace), Escapes::kJson);
}

}  // namespace pcap_client
