#include "exporter/instance_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "client/event_text.h"
#include "client/list_text.h"
#include "core/canary.h"
#include "exporter/html.h"
#include "exporter/html_table.h"
#include "exporter/overview_html.h"
#include "exporter/time_line.h"
#include "exporter/time_line_html.h"

namespace graced {
namespace {

std::string section(std::string_view heading, const std::string& html) {
  return html.empty() ? "" : fmt::format("<section><h2>{}</h2>\n{}</section>\n", heading, html);
}

// Last words are there only where they are to be shown.
std::string words_html(std::string_view heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text;
  for (const std::string& line : lines) text += html_text(line) + "\n";
  return fmt::format("<p>{}</p>\n<pre>{}</pre>\n", html_text(heading), text);
}

class Facts {
 public:
  void add(std::string_view what, const std::string& html) {
    if (!html.empty()) text_ += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", what, html);
  }
  std::string html() const { return "<dl>\n" + text_ + "</dl>\n"; }

 private:
  std::string text_;
};

std::string canary_html(const CanaryReport& c) {
  std::string text =
      fmt::format("{} of new connections, step {} of {}", share_text(c.per_mille), c.step, c.steps);
  text += c.left ? fmt::format(", {} left", to_rough_text(*c.left)) : ", its gate is waited for";
  return html_text(text);
}

// As it is drawn, so that a generation serves since it was rolled back to; where that is not known as in a
// list.
std::optional<Duration> serves_for(const InstanceReport& r, const TimeLine& line) {
  if (r.phase == "down") return std::nullopt;
  const auto row = std::ranges::find(line.rows, r.serving, &GenerationRow::generation);
  if (row != line.rows.end())
    for (const Band& b : row->bands)
      if (b.goes_on && b.state == GenerationState::serving) return b.to - b.from;
  return age_of_serving(r);
}

std::string facts_html(const InstanceReport& r, const TimeLine& line) {
  Facts facts;
  facts.add("generation", r.serving != 0 ? fmt::to_string(r.serving) : "nobody serves");
  if (const auto age = serves_for(r, line)) facts.add("serves for", html_text(to_rough_text(*age)));
  facts.add("workers", html_text(workers_of(r)));
  if (r.candidate != 0) facts.add("candidate", fmt::format("generation {}", r.candidate));
  if (r.check) facts.add("check", html_text("runs for " + to_rough_text(r.check->age)));
  if (r.canary) facts.add("canary", canary_html(*r.canary));
  if (r.batches) facts.add("batches", fmt::format("{} of {} serve", r.batches->serve, r.batches->count));
  if (r.standby != 0)
    facts.add("stands by", html_text(fmt::format(
                               "generation {}{}", r.standby,
                               r.probation_left ? ", " + to_rough_text(*r.probation_left) + " left" : "")));
  if (r.next_restart) facts.add("next start of a worker", html_text("in " + to_rough_text(*r.next_restart)));
  facts.add("last", html_text(last_of(r).text));
  facts.add("trouble", html_text(trouble_of(r)));
  facts.add("reloads", fmt::format("{}, {} failed, {} rolled back", r.reloads, r.failed_reloads, r.rollbacks));
  facts.add("restarts of workers", fmt::to_string(r.restarts));
  facts.add("graced", html_text(fmt::format("{}, PID {}, up {}", r.version, r.pid, to_rough_text(r.age))));
  facts.add("command", html_text(r.command));
  return facts.html();
}

std::string generations_html(const Seen& seen) {
  HtmlTable table({"generation", "state", "processes", "connections", "memory", "processor time"});
  const std::vector<GenerationNow> states = generations_now(seen.report());
  for (const GenerationLoad& g : seen.observed.generations) {
    const auto now = std::ranges::find(states, g.generation, &GenerationNow::generation);
    const std::string_view state = now != states.end() ? to_text(now->state) : "down";
    table.row({{fmt::to_string(g.generation), "number"},
               {fmt::format("<span class=\"key {0}\">{0}</span>", state)},
               {count_html(g.processes), "number"},
               {count_html(g.connections), "number"},
               {g.memory ? fmt::format("{:.1f} MiB", static_cast<double>(*g.memory) / (1024 * 1024))
                         : count_html(std::nullopt),
                "number"},
               {g.cpu ? html_text(to_rough_text(*g.cpu)) : count_html(std::nullopt), "number"}});
  }
  return section("Use", table.html());
}

std::string workers_html(const InstanceReport& r) {
  HtmlTable table({"generation", "worker", "PID", "state", "age", "waits for", "says"});
  for (const WorkerReport& w : r.workers) {
    std::string waits = w.waits_for;
    if (w.left && !w.then.empty())
      waits += fmt::format("{}{} in {}", waits.empty() ? "" : "; ", w.then, to_rough_text(*w.left));
    table.row({{fmt::to_string(w.generation), "number"},
               {fmt::to_string(w.slot), "number"},
               {w.pid != 0 ? fmt::to_string(w.pid) : count_html(std::nullopt), "number"},
               {html_text(w.state)},
               {html_text(to_rough_text(w.age)), "number"},
               {html_text(waits)},
               {html_text(w.status), "outcome"}});
  }
  return section("Workers", table.html());
}

std::string addresses_html(const Seen& seen) {
  HtmlTable table({"address", "connections", "queue", "drops"});
  for (const AddressLoad& a : seen.observed.addresses)
    table.row({{html_text(a.address)},
               {count_html(a.connected), "number"},
               {queue_html(a.waiting, a.longest), "number"},
               {count_html(a.drops), a.drops.value_or(0) > 0 ? "number failed" : "number"}});
  return section("Addresses", table.html());
}

std::string history_html(const std::vector<InstanceEvent>& history) {
  HtmlTable table({"time", "what"}, "history");
  for (auto e = history.rbegin(); e != history.rend(); ++e) {
    std::string what = html_text(event_sentence(*e));
    what += words_html("", last_lines(*e));
    table.row({{clock_html(e->at)}, {what}}, e->ok ? "" : "failed");
  }
  return section("History", table.html());
}

std::string last_exit_html(const InstanceReport& r) {
  if (!r.last_exit) return "";
  const ExitReport& e = *r.last_exit;
  return section("Last crash", fmt::format("<p>Worker {} of generation {} {}, {} ago.</p>\n", e.slot,
                                           e.generation, html_text(e.how), html_text(to_rough_text(e.age))) +
                                   words_html("It said last:", e.last_lines));
}

}  // namespace

std::string instance_html(const Seen& seen, const Look& look) {
  std::string main = fmt::format("<h1>{} {}</h1>\n", html_text(seen.name), phase_html(seen));
  if (seen.read()) {
    const InstanceReport& r = seen.report();
    const TimeLine line = time_line(r, seen.history, seen.sightings.all(), look.begun);
    main += facts_html(r, line) + time_line_html(line, look.at) + last_exit_html(r) + generations_html(seen) +
            workers_html(r) + addresses_html(seen) + history_html(seen.history);
  } else {
    main += fmt::format("<p class=\"why\">It could not be read: {}.</p>\n", html_text(unread_text(seen)));
  }
  const std::string title = fmt::format(
      "{}: {}", seen.name, seen.read() ? std::string_view(seen.report().phase) : to_text(seen.observed.answer));
  return html_page(title, needs_a_look(seen) ? "bad" : "well", main + looked_html(look));
}

}  // namespace graced
