#include "service/operations/status_page.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/operations/status_chart.h"
#include "service/operations/status_css.h"  // made of status.css
#include "service/operations/status_history.h"

namespace pcap_gateway {
namespace {

std::string Shown(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// "3 d 4 h", "2 min 5 s": the two largest parts.
std::string Shown(absl::Duration duration) {
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  if (seconds < 60) return absl::StrCat(seconds, " s");
  if (seconds < 3600) return absl::StrCat(seconds / 60, " min ", seconds % 60, " s");
  if (seconds < 86400) return absl::StrCat(seconds / 3600, " h ", seconds / 60 % 60, " min");
  return absl::StrCat(seconds / 86400, " d ", seconds / 3600 % 24, " h");
}

std::string Bytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrCat(HumanNumber(value), " ", kUnits[unit]);
}

std::string Count(uint64_t count) { return HumanNumber(static_cast<double>(count)); }

// Of two counts; negative where there is nothing to divide by.
double Share(uint64_t part, uint64_t rest) {
  const uint64_t all = part + rest;
  return all == 0 ? -1 : 100 * static_cast<double>(part) / static_cast<double>(all);
}

std::string Percent(double share) {
  return share < 0 ? "–" : absl::StrCat(HumanNumber(share), " %");
}

// --- charts: what came between one sample and the next

uint64_t Grown(uint64_t later, uint64_t earlier) { return later > earlier ? later - earlier : 0; }

struct Series {
  ChartLine answered{"answered", "first", {}};
  ChartLine refused{"refused", "third", {}};
  ChartLine faults{"faults", "second", {}};
  ChartLine hits{"hits", "first", {}};
  ChartLine p50{"p50", "first", {}};
  ChartLine p99{"p99", "third", {}};
  ChartLine budget{"left", "first", {}};
};

// One value for each of the last quarter of an hour's intervals: the first ones are gaps while the
// gateway is younger than that.
void FillUp(ChartLine& line) {
  const size_t all = StatusHistory::kMost - 1;
  if (line.values.size() >= all) return;
  line.values.insert(line.values.begin(), all - line.values.size(), -1);
}

Series SeriesOf(const StatusReport& report) {
  const std::vector<StatusFigures>& all = report.history;
  Series series;
  for (size_t i = 1; i < all.size(); ++i) {
    const StatusFigures& later = all[i];
    const StatusFigures& earlier = all[i - 1];
    const double seconds = std::max(0.001, absl::ToDoubleSeconds(later.at - earlier.at));
    const auto rate = [&](uint64_t StatusFigures::* count) {
      return static_cast<double>(Grown(later.*count, earlier.*count)) / seconds;
    };
    series.answered.values.push_back(rate(&StatusFigures::answered));
    series.refused.values.push_back(rate(&StatusFigures::refused));
    series.faults.values.push_back(rate(&StatusFigures::faults));
    series.hits.values.push_back(
        Share(Grown(later.hits, earlier.hits), Grown(later.misses, earlier.misses)));
    for (auto& [line, quantile] : {std::pair(&series.p50, 0.5), std::pair(&series.p99, 0.99)}) {
      const double bound = QuantileBetween(later.durations, earlier.durations, quantile);
      line->values.push_back(bound < 0 ? -1 : 1000 * bound);
    }
    series.budget.values.push_back(static_cast<double>(later.budget_left));
  }
  for (ChartLine* const line : {&series.answered, &series.refused, &series.faults, &series.hits,
                                &series.p50, &series.p99, &series.budget}) {
    FillUp(*line);
  }
  return series;
}

std::string Charts(const StatusReport& report) {
  Series series = SeriesOf(report);
  const absl::Time until = report.history.empty() ? report.now.at : report.history.back().at;
  const auto figure = [&](Chart chart) {
    chart.until = until;
    chart.interval = StatusHistory::kInterval;
    return ChartFigure(chart);
  };
  std::string html =
      "<section class=\"wide\"><h2>The last 15 minutes, in UTC</h2><div class=\"charts\">\n";
  html += figure({.title = "Calls a second",
                  .unit = "/s",
                  .lines = {series.answered, series.refused, series.faults}});
  html += figure({.title = "Time of a call", .unit = " ms", .lines = {series.p50, series.p99}});
  if (report.cache.has_value()) {
    html += figure({.title = "Cache hits", .unit = " %", .lines = {series.hits}, .least_top = 100});
  }
  if (!report.budgets.empty()) {
    const auto limit = static_cast<double>(report.budgets.front().limit);
    html +=
        figure({.title = "Budget left", .unit = "", .lines = {series.budget}, .least_top = limit});
  }
  return html + "</div></section>\n";
}

// --- facts

using Facts = std::vector<std::pair<std::string, std::string>>;  // values are HTML

std::string Section(const std::string& title, const Facts& facts) {
  std::string html = absl::StrCat("<section><h2>", title, "</h2><dl>");
  for (const auto& [name, value] : facts) {
    absl::StrAppend(&html, "<div><dt>", EscapedHtml(name), "</dt><dd>", value, "</dd></div>");
  }
  return html + "</dl></section>\n";
}

std::string Word(const char* css_class, const std::string& word) {
  return absl::StrCat("<span class=\"", css_class, "\">", EscapedHtml(word), "</span>");
}

std::string Calls(const StatusReport& report) {
  const StatusFigures& now = report.now;
  return Section("Calls",
                 {{"Answered", Count(now.answered)},
                  {"Refused, by the caller's doing", Count(now.refused)},
                  {"Faults", now.faults == 0 ? "0" : Word("bad", Count(now.faults))},
                  {"Waiting for Cloudflare",
                   Count(static_cast<uint64_t>(std::max<int64_t>(0, report.waiting_calls)))}});
}

std::string Cache(const StatusReport& report) {
  if (!report.cache.has_value()) return Section("Cache", {{"State", "off"}});
  const StatusReport::Cache& cache = *report.cache;
  return Section("Cache",
                 {{"Hits", absl::StrCat(Count(report.now.hits), " (",
                                        Percent(Share(report.now.hits, report.now.misses)), ")")},
                  {"Misses", Count(report.now.misses)},
                  {"Of these, on another's request", Count(cache.collapsed)},
                  {"Stale answers", Count(cache.stale)},
                  {"Captures kept", Count(static_cast<uint64_t>(cache.entries))},
                  {"Memory", absl::StrCat(Bytes(cache.bytes), " of ", Bytes(cache.limit_bytes))}});
}

std::string Circuit(const std::string& state) {
  if (state == "closed") return Word("good", "closed: requests pass");
  if (state == "open") return Word("bad", "open: Cloudflare is left alone");
  if (state == "half-open") return Word("busy", "half-open: one request tries");
  return "off";
}

std::string Upstream(const StatusReport& report) {
  const StatusReport::Upstream& upstream = report.upstream;
  Facts facts = {{"Where", EscapedHtml(upstream.url)},
                 {"Circuit", Circuit(upstream.circuit)},
                 {"Requests", Count(upstream.requests)},
                 {"In flight, queued", absl::StrCat(upstream.in_flight, ", ", upstream.queued)}};
  for (const auto& [code, count] : upstream.answers) {
    if (count > 0) facts.emplace_back(absl::StrCat("Answers ", code), Count(count));
  }
  for (const auto& [kind, count] : upstream.failures) {
    if (count > 0) facts.emplace_back(absl::StrCat("No answer: ", kind), Count(count));
  }
  if (upstream.retries > 0) facts.emplace_back("Repeated", Count(upstream.retries));
  if (upstream.withheld > 0) facts.emplace_back("Withheld", Count(upstream.withheld));
  return Section("Cloudflare", facts);
}

std::string Redis(const StatusReport& report) {
  if (!report.redis.has_value()) return "";
  return Section("Redis", {{"State", report.redis->up ? Word("good", "up") : Word("bad", "down")},
                           {"Hits", Count(report.redis->hits)},
                           {"Misses", Count(report.redis->misses)}});
}

// `content`, or where it is empty what says so.
std::string WideSection(const std::string& title, const std::string& content,
                        const std::string& nothing) {
  return absl::StrCat(
      "<section class=\"wide\"><h2>", title, "</h2>",
      content.empty() ? absl::StrCat("<p class=\"nothing\">", nothing, "</p>") : content,
      "</section>\n");
}

std::string Table(const std::string& title, const std::vector<std::string>& headings,
                  const std::string& rows, const std::string& nothing) {
  if (rows.empty()) return WideSection(title, "", nothing);
  std::string html =
      absl::StrCat("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", title,
                   "\"><table><thead><tr>");
  for (const std::string& heading : headings) {
    absl::StrAppend(&html, "<th scope=\"col\">", heading, "</th>");
  }
  return WideSection(
      title, absl::StrCat(html, "</tr></thead><tbody>", rows, "</tbody></table></div>"), "");
}

std::string Budgets(const StatusReport& report) {
  std::string rows;
  for (const StatusReport::Budget& budget : report.budgets) {
    const bool low = budget.left * 10 < budget.limit;
    absl::StrAppend(
        &rows, "<tr><td>", EscapedHtml(budget.fingerprint), "</td><td>",
        budget.of_gateway ? "the gateway's" : "a caller's", "</td><td class=\"number\">",
        low ? Word("bad", absl::StrCat(budget.left)) : absl::StrCat(budget.left),
        "</td><td class=\"number\">", budget.limit, "</td><td>",
        budget.blocked_until.has_value() ? Word("bad", Shown(*budget.blocked_until)) : "no",
        "</td></tr>");
  }
  return Table("Budget of each credential, in any five minutes",
               {"Fingerprint", "Whose", "Left", "Limit", "Blocked until"}, rows,
               "No request has been charged to a credential yet.");
}

std::string Callers(const StatusReport& report) {
  std::string rows;
  for (const StatusReport::Budget& budget : report.budgets) {
    for (const StatusReport::Budget::Caller& caller : budget.callers) {
      absl::StrAppend(&rows, "<tr><td class=\"name\">", EscapedHtml(caller.name), "</td><td>",
                      EscapedHtml(budget.fingerprint), "</td><td class=\"number\">", caller.spent,
                      "</td><td class=\"number\">", caller.asked, "</td></tr>");
    }
  }
  return Table("Who spends it, in the last five minutes",
               {"Caller", "Fingerprint", "Spent", "Asked for"}, rows,
               "No caller has asked for anything lately.");
}

std::string Watched(const StatusReport& report) {
  std::string rows;
  for (const StatusReport::Watched& watched : report.watched) {
    absl::StrAppend(&rows, "<tr><td>", EscapedHtml(watched.caller), "</td><td>",
                    EscapedHtml(watched.account), "</td><td class=\"number\">", watched.watchers,
                    "</td></tr>");
  }
  return Table("Who watches what", {"Caller", "Account", "Watches"}, rows,
               "Nobody watches any captures.");
}

// Those that somebody has to look into stand apart from those that callers can mend.
std::string Errors(const StatusReport& report, bool faults) {
  const auto line = [](const std::string& css_class, const std::string& text) {
    return text.empty() ? "" : absl::StrCat("<p class=\"", css_class, "\">", text, "</p>");
  };
  std::string items;
  for (const RecentError& error : report.errors) {
    if (error.is_fault() != faults) continue;
    const std::string code = absl::StatusCodeToString(error.code);
    absl::StrAppend(
        &items, "<li><p class=\"what\"><b", faults ? " class=\"bad\"" : "", ">",
        EscapedHtml(error.reason.empty() ? code : error.reason), "</b><span>",
        error.reason.empty() ? "" : EscapedHtml(code), "</span><span>",
        error.count == 1 ? "once, " : absl::StrCat(error.count, " times, last "), "<time>",
        Shown(error.last), "</time></span></p>", line("message", EscapedHtml(error.message)),
        line("detail", EscapedHtml(error.detail)),
        line("detail", error.request_id.empty()
                           ? ""
                           : absl::StrCat("Request id ", EscapedHtml(error.request_id))),
        "</li>");
  }
  return WideSection(faults ? "Last faults" : "Last refused calls",
                     items.empty() ? "" : absl::StrCat("<ul class=\"errors\">", items, "</ul>"),
                     "None.");
}

}  // namespace

double QuantileBetween(const HistogramSnapshot& later, const HistogramSnapshot& earlier,
                       double quantile) {
  if (later.counts.size() != earlier.counts.size()) return -1;
  std::vector<uint64_t> grown(later.counts.size());
  uint64_t all = 0;
  for (size_t i = 0; i < grown.size(); ++i) {
    grown[i] = Grown(later.counts[i], earlier.counts[i]);
    all += grown[i];
  }
  if (all == 0) return -1;
  uint64_t seen = 0;
  for (size_t i = 0; i < later.bounds.size(); ++i) {
    seen += grown[i];
    if (static_cast<double>(seen) >= quantile * static_cast<double>(all)) return later.bounds[i];
  }
  return later.bounds.empty() ? -1 : later.bounds.back();
}

std::string StatusHtml(const StatusReport& report) {
  const std::string state = !report.serving ? Word("state busy", "draining")
                            : report.waits_for.empty()
                                ? Word("state good", "serving")
                                : absl::StrCat(Word("state bad", "not ready"), "<p>",
                                               EscapedHtml(report.waits_for), "</p>");
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta http-equiv=\"refresh\" content=\"10\"><title>pcap-gateway ",
      EscapedHtml(report.address),
      "</title><link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/status.css\">"
      "</head>\n<body><header><h1>pcap-gateway</h1>",
      state, "<p>", EscapedHtml(report.address), report.tls ? ", TLS" : ", without TLS",
      "</p><p>version ", EscapedHtml(report.version), "</p><p>up for ",
      Shown(report.now.at - report.started), ", since ", Shown(report.started),
      "</p></header>\n<main>", Charts(report), Calls(report), Cache(report), Upstream(report),
      Redis(report), Budgets(report), Callers(report), Watched(report),
      Errors(report, /*faults=*/true), Errors(report, /*faults=*/false), "</main>\n<footer>As of ",
      Shown(report.now.at),
      ", every ten seconds. <a href=\"/status.json\">status.json</a> <a href=\"/metrics\">metrics"
      "</a> <a href=\"/healthz\">healthz</a> <a "
      "href=\"/readyz\">readyz</a></footer></body></html>\n");
}

std::string StatusJson(const StatusReport& report) {
  using Json = nlohmann::ordered_json;
  const auto named = [](const std::vector<std::pair<std::string, uint64_t>>& counts) {
    Json json = Json::object();
    for (const auto& [name, count] : counts) json[name] = count;
    return json;
  };
  Json json = {
      {"version", report.version},
      {"address", report.address},
      {"tls", report.tls},
      {"serving", report.serving},
      {"ready", report.serving && report.waits_for.empty()},
      {"waits_for", report.waits_for},
      {"started", Shown(report.started)},
      {"uptime_seconds", absl::ToInt64Seconds(report.now.at - report.started)},
      {"calls",
       {{"answered", report.now.answered},
        {"refused", report.now.refused},
        {"faults", report.now.faults},
        {"waiting", report.waiting_calls}}},
      {"upstream",
       {{"url", report.upstream.url},
        {"circuit", report.upstream.circuit},
        {"requests", report.upstream.requests},
        {"retries", report.upstream.retries},
        {"withheld", report.upstream.withheld},
        {"in_flight", report.upstream.in_flight},
        {"queued", report.upstream.queued},
        {"answers", named(report.upstream.answers)},
        {"failures", named(report.upstream.failures)}}},
      {"budgets", Json::array()},
      {"watched", Json::array()},
      {"errors", Json::array()},
  };
  if (report.cache.has_value()) {
    json["cache"] = {{"hits", report.now.hits},
                     {"misses", report.now.misses},
                     {"collapsed", report.cache->collapsed},
                     {"stale", report.cache->stale},
                     {"entries", report.cache->entries},
                     {"bytes", report.cache->bytes},
                     {"limit_bytes", report.cache->limit_bytes}};
  }
  if (report.redis.has_value()) {
    json["redis"] = {
        {"up", report.redis->up}, {"hits", report.redis->hits}, {"misses", report.redis->misses}};
  }
  for (const StatusReport::Budget& budget : report.budgets) {
    Json one = {{"fingerprint", budget.fingerprint},
                {"owner", budget.of_gateway ? "gateway" : "caller"},
                {"limit", budget.limit},
                {"left", budget.left}};
    if (budget.blocked_until.has_value()) one["blocked_until"] = Shown(*budget.blocked_until);
    one["callers"] = Json::array();
    for (const StatusReport::Budget::Caller& caller : budget.callers) {
      one["callers"].push_back(
          {{"caller", caller.name}, {"spent", caller.spent}, {"asked", caller.asked}});
    }
    json["budgets"].push_back(std::move(one));
  }
  for (const StatusReport::Watched& watched : report.watched) {
    json["watched"].push_back(
        {{"caller", watched.caller}, {"account", watched.account}, {"watchers", watched.watchers}});
  }
  for (const RecentError& error : report.errors) {
    json["errors"].push_back({{"last", Shown(error.last)},
                              {"count", error.count},
                              {"fault", error.is_fault()},
                              {"code", absl::StatusCodeToString(error.code)},
                              {"reason", error.reason},
                              {"message", error.message},
                              {"detail", error.detail},
                              {"request_id", error.request_id}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const char* StatusStyle() { return kStatusCss; }

}  // namespace pcap_gateway
