// Entries and one table, aligned by the columns of a terminal; what workers say is made printable first.
#include "client/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "client/page.h"
#include "core/canary.h"
#include "core/columns.h"
#include "core/counted.h"
#include "core/printable.h"
#include "core/story.h"
#include "core/time.h"

namespace graced {
namespace {

Paint paint_of_state(std::string_view state) {
  if (state == "ready") return Paint::green;
  return state == "killed" ? Paint::red : Paint::yellow;
}

std::string headline(const InstanceReport& r) {
  const std::string replacement =
      r.replaces != 0 ? fmt::format(", generation {} is to replace it, since its probe fails", r.candidate)
                      : "";
  if (r.phase == "serving") return fmt::format("serving generation {}{}", r.serving, replacement);
  if (r.phase == "down" || r.phase == "degraded") {
    const auto ready = std::ranges::count_if(
        r.workers, [&](const WorkerReport& w) { return w.generation == r.serving && w.state == "ready"; });
    std::string text = fmt::format("{}: {}", r.phase,
                                   serving_text(r.serving, static_cast<std::uint64_t>(ready), r.workers_asked));
    if (r.replaces != 0)
      text += replacement;
    else if (r.candidate != 0)
      text += fmt::format(", generation {} is starting", r.candidate);
    return text + (r.reload_queued ? ", another reload is next" : "");
  }
  std::string text = r.phase;
  if (r.candidate != 0) text += fmt::format(" generation {}", r.candidate);
  if (r.serving != 0) text += fmt::format(", generation {} serves", r.serving);
  if (r.reload_queued) text += ", another reload is next";
  return text;
}

// Its last words are shown only where they may say why.
bool in_trouble(const WorkerReport& w) {
  constexpr Duration slow_start = 5s;
  return w.pid == 0 || w.state == "killed" || (w.state == "starting" && w.age >= slow_start);
}

std::string patience(const WorkerReport& w) {
  if (!w.left || *w.left == infinity) return w.state == "draining" || w.state == "leaving" ? "no limit" : "";
  return w.then.empty() ? to_rough_text(*w.left) : fmt::format("{} in {}", w.then, to_rough_text(*w.left));
}

std::string waits_for(const WorkerReport& w) {
  if (!w.quiet || w.connections.value_or(0) == 0) return one_cell(w.waits_for);
  return fmt::format("{}, quiet for {}", one_cell(w.waits_for), to_rough_text(*w.quiet));
}

void show_addresses(Page& page, const std::vector<AddressReport>& addresses) {
  std::size_t widest = 0;
  for (const auto& a : addresses) widest = std::max(widest, columns_of(one_cell(a.name)));
  std::string_view label = "listening";
  for (const auto& a : addresses) {
    const std::string name = one_cell(a.name);
    const std::string_view how = a.handoff == "none"          ? "  (not handed off)"
                                 : a.handoff == "switched"    ? "  (switched)"
                                 : a.handoff == "multicast"   ? "  (multicast: every generation hears it)"
                                 : a.handoff == "own-program" ? "  (left to the server's own program)"
                                                              : "";
    page.entry(label, fmt::format("{}{}  {}{}", name, std::string(widest - columns_of(name), ' '),
                                  one_cell(a.address), how));
    label = "";
  }
}

void show_artefact(Page& page, const InstanceReport& r) {
  if (!r.executable.empty()) {
    page.entry("executable",
               one_cell(r.executable) +
                   (r.executable_replaced ? "  (held open: this does not lead to it any more)" : ""));
  }
  if (r.changed.empty()) return;
  page.entry("changed",
             fmt::format("{} {}", page.painted("a replacement would run files changed since:", Paint::yellow),
                         one_cell(fmt::format("{}", fmt::join(r.changed, ", ")))));
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::string_view units = "KMGT";
  if (bytes < 1024) return fmt::format("{}B", bytes);
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (size /= 1024; size >= 1024 && unit + 1 < units.size(); size /= 1024) ++unit;
  return fmt::format("{:.1f}{}", size, units[unit]);
}

void show_generations(Page& page, const std::vector<GenerationReport>& generations) {
  std::string_view label = "uses";
  for (const auto& g : generations) {
    const std::string memory = g.memory ? size_text(*g.memory) + " of memory, " : "";
    page.entry(label, fmt::format("generation {}: {}{} of CPU", g.generation, memory, to_rough_text(g.cpu)));
    label = "";
  }
}

// "generation 7 gets 5% of new connections: 41 so far, generation 6 803; step 1 of 3 for 12s more"
std::string canary_text(const InstanceReport& r) {
  const CanaryReport& c = *r.canary;
  const std::string until =
      c.left ? fmt::format("for {} more", to_rough_text(*c.left)) : "is over, the gate is run";
  const std::string counts =
      c.of_candidate && c.of_serving
          ? fmt::format(": {} so far, generation {} {}", *c.of_candidate, r.serving, *c.of_serving)
          : " (only eBPF counts them)";
  return fmt::format("generation {} gets {} of new connections{}; step {} of {} {}", r.candidate,
                     share_text(c.per_mille), counts, c.step, c.steps, until);
}

void show_datagrams(Page& page, const std::vector<DatagramReport>& datagrams) {
  std::string_view label = "udp";
  for (const auto& d : datagrams) {
    page.entry(label, fmt::format("generation {}: {}, {}", d.generation, counted(d.flows, "flow", "flows"),
                                  counted(d.datagrams, "datagram", "datagrams")));
    label = "";
  }
}

// What happened and why, with last words below it.
void show_failure(Page& page, std::string_view label, const std::string& what, std::string_view why) {
  const std::size_t end = why.find('\n');
  page.entry(label, fmt::format("{}: {}", what, one_cell(why.substr(0, end))));
  if (end != std::string_view::npos)
    page.block(printable_lines(why.substr(end + 1), std::string(2 + Page::label_width, ' ') + "| "));
}

void show_last_reload(Page& page, const ReloadReport& last) {
  const std::string when = fmt::format("{} ago, after {}", to_rough_text(last.age), to_rough_text(last.took));
  if (last.ok) {
    page.entry("last reload", fmt::format("generation {} ready {}", last.generation, when));
    return;
  }
  show_failure(page, "last reload",
               page.painted(fmt::format("generation {} failed {}", last.generation, when), Paint::red),
               last.why);
}

// What its last words were is told with the reason of the failure.
void show_last_replacement(Page& page, const ReplacementReport& last) {
  const std::string when = fmt::format("{} ago", to_rough_text(last.age));
  const std::string what =
      last.ok ? fmt::format("generation {} by {} {}, since its probe failed", last.generation, last.by, when)
              : page.painted(fmt::format("generation {}, which was to replace {}, failed {}", last.by,
                                         last.generation, when),
                             Paint::red);
  show_failure(page, "replaced", what, last.why);
}

// "version 0.2.0, upgraded from 0.1.0 3s ago"
std::string version_text(const InstanceReport& r) {
  std::string text = fmt::format("version {}", one_cell(r.version));
  if (r.upgraded_from.empty() || !r.upgraded) return text;
  return fmt::format("{}, upgraded from {} {} ago", text, one_cell(r.upgraded_from),
                     to_rough_text(*r.upgraded));
}

void show_failed_upgrade(Page& page, const UpgradeReport& last) {
  const std::string to = last.to.empty() ? "" : fmt::format("to {} ", one_cell(last.to));
  show_failure(page, "upgrade",
               page.painted(fmt::format("{}failed {} ago", to, to_rough_text(last.age)), Paint::red), last.why);
}

void show_last_words(Page& page, const std::vector<std::string>& lines) {
  const std::string indent(2 + Page::label_width, ' ');
  for (const std::string& words : lines) page.line(fmt::format("{}| {}", indent, printable(words)));
}

// In the colour of how bad it is now.
void show_last_exit(Page& page, const ExitReport& last, Paint paint) {
  page.entry("last exit", fmt::format("{}, {} ago",
                                      page.painted(fmt::format("worker {} of generation {} {}", last.slot,
                                                               last.generation, one_cell(last.how)),
                                                   paint),
                                      to_rough_text(last.age)));
  show_last_words(page, last.last_lines);
}

void show_workers(Page& page, const std::vector<WorkerReport>& workers) {
  const bool any_status = std::ranges::any_of(workers, [](const auto& w) { return !w.status.empty(); });
  const bool any_patience = std::ranges::any_of(workers, [](const auto& w) { return !patience(w).empty(); });
  const bool any_wait = std::ranges::any_of(
      workers, [](const auto& w) { return !w.waits_for.empty() && w.waits_for != "its exit"; });
  const auto heading = [](std::string_view text, bool right = false) {
    return Cell{std::string(text), Paint::dim, right};
  };
  std::vector<std::vector<Cell>> rows{
      {heading("generation", true), heading("worker", true), heading("PID", true), heading("state"),
       heading("age"), heading(any_patience ? "next" : ""), heading(any_status ? "status" : "")}};
  for (const auto& w : workers)
    rows.push_back({{fmt::to_string(w.generation), Paint::plain, true},
                    {fmt::to_string(w.slot), Paint::plain, true},
                    {w.pid > 0 ? fmt::to_string(w.pid) : "-", Paint::plain, true},
                    {one_cell(w.state), paint_of_state(w.state)},
                    {to_rough_text(w.age)},
                    {patience(w)},
                    {one_cell(w.status)}});
  // A column that has nothing to say is not there.
  if (any_wait) {
    rows[0].insert(rows[0].end() - 1, heading("waits for"));
    for (std::size_t i = 0; i < workers.size(); ++i)
      rows[i + 1].insert(rows[i + 1].end() - 1, {waits_for(workers[i])});
  }
  page.line("");
  page.table("  ", rows);

  for (const auto& w : workers) {
    if (!in_trouble(w) || w.last_lines.empty()) continue;
    page.line("");
    page.line(fmt::format("  last words of worker {} of generation {}:", w.slot, w.generation));
    for (const std::string& words : w.last_lines) page.line(fmt::format("    | {}", printable(words)));
  }
}

}  // namespace

std::string report_text(const InstanceReport& r, bool colour) {
  Page page{colour};
  page.line(fmt::format("{}  {}", page.painted(one_cell(r.name), Paint::bold),
                        page.painted(headline(r), paint_of_phase(r.phase))));
  page.entry("graced", fmt::format("PID {}, up {}, {}", r.pid, to_rough_text(r.age), version_text(r)));
  if (!r.upgrade_waits_for.empty())
    page.entry("upgrade", fmt::format("waits for {}", one_cell(r.upgrade_waits_for)));
  if (!r.command.empty()) page.entry("command", one_cell(r.command));
  show_artefact(page, r);
  if (r.check)
    page.entry("checks", fmt::format("for {}{}{}", to_rough_text(r.check->age),
                                     r.check->command.empty() ? "" : ": ", one_cell(r.check->command)));
  if (const auto& b = r.batches) {
    page.entry("batches", fmt::format("{} of {} batches of generation {} serve, {} each; {}", b->serve,
                                      b->count, r.candidate, counted(b->size, "worker", "workers"),
                                      next_batch_text(b->under_way, b->leaving)));
  }
  if (r.workers_missing > 0) {
    page.entry("missing", fmt::format("{} of generation {}, to be started again when others have left",
                                      counted(r.workers_missing, "worker", "workers"), r.serving));
  }
  for (const ProbeReport& p : r.probes) {
    page.entry("probes",
               fmt::format("{}: {}", one_cell(p.what),
                           p.passed        ? "passed"
                           : p.saw.empty() ? fmt::format("has not passed yet, {} looks in a row have", p.passes)
                                           : fmt::format("{}, failed {} in a row", one_cell(p.saw),
                                                         counted(p.fails, "look", "looks"))));
  }
  if (r.canary) page.entry("canary", canary_text(r));
  for (const ProbeReport& p : r.watched) {
    const std::string seen = p.saw.empty()  ? p.passes > 0 ? "passes" : "has not looked yet"
                             : p.fails == 0 ? one_cell(p.saw)
                                            : fmt::format("{}, failed {} in a row", one_cell(p.saw),
                                                          counted(p.fails, "look", "looks"));
    page.entry("watched by",
               fmt::format("{}: {}", one_cell(p.what), p.saw.empty() ? seen : page.painted(seen, Paint::red)));
  }
  if (!r.config.empty()) page.entry("config", one_cell(r.config));
  show_addresses(page, r.addresses);
  show_generations(page, r.generations);
  show_datagrams(page, r.datagrams);
  if (r.probation_left) {
    page.entry("probation", fmt::format("generation {} on probation for {}, generation {} stands by", r.serving,
                                        to_rough_text(*r.probation_left), r.standby));
  }
  const std::string rolled_back = r.rollbacks > 0 ? fmt::format(", {} rolled back", r.rollbacks) : "";
  page.entry("reloads", fmt::format("{} done, {} failed{}; {}", r.reloads, r.failed_reloads, rolled_back,
                                    counted(r.restarts, "worker replaced", "workers replaced")));
  if (r.last_reload) show_last_reload(page, *r.last_reload);
  if (r.last_replacement) show_last_replacement(page, *r.last_replacement);
  if (r.last_upgrade && !r.last_upgrade->ok) show_failed_upgrade(page, *r.last_upgrade);
  if (r.last_exit) {
    const bool mended = r.phase == "serving" || r.phase == "reloading";
    show_last_exit(page, *r.last_exit, mended ? Paint::plain : Paint::red);
  }
  if (r.next_restart) page.entry("next restart", "in " + to_rough_text(*r.next_restart));
  if (!r.workers.empty()) show_workers(page, r.workers);
  return std::move(page).text();
}

std::string printable_lines(std::string_view text, std::string_view indent) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    shown += fmt::format("{}{}\n", indent, printable(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return shown;
}

}  // namespace graced
