#include "exporter/overview_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/event_text.h"
#include "client/list_text.h"
#include "exporter/html.h"
#include "exporter/html_table.h"
#include "exporter/time_line_html.h"

namespace graced {
namespace {

constexpr std::size_t most_news = 12;
constexpr std::string_view unknown = "<span class=\"unknown\">–</span>";

std::string_view phase_of(const Seen& seen) {
  return seen.read() ? std::string_view(seen.report().phase) : to_text(seen.observed.answer);
}

std::string_view look_of(const Seen& seen) {
  const std::string_view phase = phase_of(seen);
  if (phase == "serving") return "good";
  return phase == "starting" || phase == "reloading" || phase == "stopping" || phase == "finished" ? "busy"
         : phase == "degraded"                                                                     ? "warn"
                                                                                                   : "bad";
}

// The worse the lower.
int rank_of(const Seen& seen) {
  const std::string_view look = look_of(seen);
  return look == "bad" ? 0 : look == "warn" ? 1 : needs_a_look(seen) ? 2 : 3;
}

std::string link_to(const std::string& name) {
  return fmt::format("<a href=\"/instances/{}\">{}</a>", path_part(name), html_text(name));
}

std::string outcome_html(const Seen& seen) {
  if (!seen.read()) return html_text(unread_text(seen));
  const InstanceReport& r = seen.report();
  const Cell last = last_of(r);
  std::string text = html_text(last.text);
  if (last.paint == Paint::red) text = fmt::format("<span class=\"failed\">{}</span>", text);
  const std::string trouble = trouble_of(r);
  if (!trouble.empty()) text += fmt::format(": <span class=\"why\">{}</span>", html_text(trouble));
  return text;
}

std::optional<std::uint32_t> longest_of(const ObservedInstance& o) {
  std::optional<std::uint32_t> longest;
  for (const AddressLoad& a : o.addresses)
    if (a.longest) longest = longest.value_or(0) + *a.longest;
  return longest;
}

std::string instances_html(const Look& look) {
  if (look.instances.empty())
    return "<p>There is none in the usual places. <code>graced run</code> starts one; where the control socket "
           "of one lies elsewhere, <code>graced-exporter --control</code> names it.</p>\n";
  HtmlTable table(
      {"instance", "phase", "generation", "for", "workers", "draining", "connections", "queue", "last"},
      "instances");
  // The worst first: of fifty nobody looks for them.
  std::vector<const Seen*> all;
  for (const Seen& seen : look.instances) all.push_back(&seen);
  std::stable_sort(all.begin(), all.end(),
                   [](const Seen* a, const Seen* b) { return rank_of(*a) < rank_of(*b); });
  for (const Seen* each : all) {
    const Seen& seen = *each;
    const InstanceReport& r = seen.report();
    const bool read = seen.read();
    const auto age = read ? age_of_serving(r) : std::nullopt;
    const std::string none{unknown};
    table.row(
        {{link_to(seen.name), "name"},
         {phase_html(seen)},
         {read && r.serving != 0 ? fmt::to_string(r.serving) : none, "number"},
         {age ? html_text(to_rough_text(*age)) : none, "number"},
         {read && r.serving != 0 ? html_text(workers_of(r)) : none, "number"},
         {read ? html_text(draining_of(r)) : none, "number"},
         {count_html(read ? connections_of(seen.observed) : std::nullopt), "number"},
         {queue_html(read ? waiting_of(seen.observed) : std::nullopt, longest_of(seen.observed)), "number"},
         {outcome_html(seen), "outcome"}},
        needs_a_look(seen) ? "trouble" : "");
  }
  return table.html();
}

std::string news_html(const Look& look) {
  struct News {
    const Seen* seen;
    const InstanceEvent* event;
  };
  std::vector<News> all;
  for (const Seen& seen : look.instances)
    for (const InstanceEvent& e : seen.history) all.push_back({&seen, &e});
  std::ranges::sort(all, std::ranges::greater{}, [](const News& n) { return n.event->at; });
  if (all.size() > most_news) all.resize(most_news);
  HtmlTable table({"time", "instance", "what"}, "history");
  for (const News& n : all)
    table.row({{clock_html(n.event->at)}, {link_to(n.seen->name)}, {html_text(event_sentence(*n.event))}},
              n.event->ok ? "" : "failed");
  return all.empty() ? "" : "<section><h2>What happened last</h2>\n" + table.html() + "</section>\n";
}

}  // namespace

std::string phase_html(const Seen& seen) {
  return fmt::format("<span class=\"phase {}\">{}</span>", look_of(seen), html_text(phase_of(seen)));
}

bool needs_a_look(const Seen& seen) {
  const std::string_view look = look_of(seen);
  return look == "bad" || look == "warn" || !trouble_of(seen.report()).empty();
}

std::string unread_text(const Seen& seen) {
  if (seen.observed.answer == ObservedInstance::Answer::gone) return "it crashed, or was killed";
  return seen.observed.why;
}

std::string count_html(std::optional<std::uint64_t> count) {
  return count ? fmt::to_string(*count) : std::string(unknown);
}

std::string queue_html(std::optional<std::uint32_t> waiting, std::optional<std::uint32_t> longest) {
  if (!waiting) return std::string(unknown);
  return longest ? fmt::format("{} of {}", *waiting, *longest) : fmt::to_string(*waiting);
}

std::string looked_html(const Look& look) {
  return fmt::format("<p class=\"looked\">Looked at {}.</p>\n", clock_html(look.at));
}

std::string overview_html(const Look& look) {
  const auto all = look.instances.size();
  const auto troubled = std::ranges::count_if(look.instances, needs_a_look);
  std::string summary = all == 0   ? "no instance runs"
                        : all == 1 ? "1 instance"
                                   : fmt::format("{} instances", all);
  if (all > 0) summary += troubled == 0 ? ", all is well" : fmt::format(", {} to be looked at", troubled);
  return html_page(
      "graced: " + summary, troubled == 0 ? "well" : "bad",
      fmt::format("<h1>{}</h1>\n{}{}{}", summary, instances_html(look), news_html(look), looked_html(look)));
}

std::string no_instance_html(std::string_view name, const Look& look) {
  return html_page(
      "graced: no such instance", "bad",
      fmt::format("<h1>No instance {}</h1>\n<p>It has ended, or was never there. <a href=\"/\">All "
                  "instances</a></p>\n{}",
                  html_text(name), looked_html(look)));
}

}  // namespace graced
