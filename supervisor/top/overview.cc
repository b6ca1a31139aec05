#include "top/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "client/fitted_columns.h"
#include "client/list_text.h"
#include "core/columns.h"
#include "core/counted.h"
#include "top/amounts.h"

namespace graced {
namespace {

using Answer = ObservedInstance::Answer;

std::string_view phase_of(const Sight& s) {
  if (!s.seen) return "";
  if (s.told()) return s.seen->report.phase;
  return s.seen->answer == Answer::silent ? "silent" : s.seen->answer == Answer::gone ? "gone" : "refused";
}

// Worst first.
std::size_t rank_of_phase(std::string_view phase) {
  constexpr std::array<std::string_view, 9> ranks{"down",     "silent",    "refused",  "degraded", "stopping",
                                                  "starting", "reloading", "finished", "serving"};
  return static_cast<std::size_t>(std::ranges::find(ranks, phase) - ranks.begin()) + (phase.empty() ? 1 : 0);
}

std::optional<std::uint32_t> longest_of(const ObservedInstance& i) {
  std::optional<std::uint32_t> sum;
  for (const AddressLoad& a : i.addresses)
    if (a.longest) sum = sum.value_or(0) + *a.longest;
  return sum;
}

// The greater the sooner; none: not known.
std::optional<double> amount_of(const Sight& s, TopSort by) {
  const auto number = [](const auto& amount) {
    return amount ? std::optional(static_cast<double>(*amount)) : std::nullopt;
  };
  if (!s.told()) return std::nullopt;
  switch (by) {
    case TopSort::name:
    case TopSort::phase:
      break;
    case TopSort::connections:
      return number(connections_of(*s.seen));
    case TopSort::queue:
      return number(waiting_of(*s.seen));
    case TopSort::cpu:
      return s.cpu;
    case TopSort::memory:
      return number(memory_of(*s.seen));
    case TopSort::reloads:
      return static_cast<double>(s.seen->report.reloads + s.seen->report.failed_reloads);
  }
  return std::nullopt;
}

std::string reloads_of(const InstanceReport& r) {
  return r.failed_reloads == 0 ? fmt::to_string(r.reloads) : fmt::format("{}+{}", r.reloads, r.failed_reloads);
}

Cell queue_of(const ObservedInstance& i) {
  const auto waiting = waiting_of(i);
  const auto longest = longest_of(i);
  const bool nearly_full = waiting && longest && *waiting * 5ULL >= *longest * 4ULL && *longest > 0;
  return {queue_text(waiting, longest), nearly_full ? Paint::red : Paint::plain};
}

struct Column {
  std::string_view heading;
  std::optional<TopSort> sort;
  bool right;
  unsigned goes;  // as in FittedColumn
  bool free;
  bool optional;
  std::size_t least;
  Cell (*cell)(const Sight&, const InstanceReport&);  // of one that has told
};

constexpr std::string_view name_heading = "name";

constexpr Column table[]{
    {"gen",
     {},
     true,
     0,
     false,
     false,
     3,
     [](const Sight&, const InstanceReport& r) {
       return Cell{r.serving > 0 ? fmt::to_string(r.serving) : "-"};
     }},
    {"workers",
     {},
     true,
     0,
     false,
     false,
     0,
     [](const Sight&, const InstanceReport& r) { return Cell{workers_of(r)}; }},
    {"draining",
     {},
     true,
     5,
     false,
     true,
     0,
     [](const Sight&, const InstanceReport& r) {
       return Cell{draining_of(r), Paint::yellow};
     }},
    {"conns", TopSort::connections, true, 0, false, false, 0,
     [](const Sight& s, const InstanceReport&) { return Cell{count_text(connections_of(*s.seen))}; }},
    {"queue", TopSort::queue, true, 0, false, false, 6,
     [](const Sight& s, const InstanceReport&) { return queue_of(*s.seen); }},
    {"cpu", TopSort::cpu, true, 9, false, false, 5,
     [](const Sight& s, const InstanceReport&) { return Cell{share_text(s.cpu)}; }},
    {"memory", TopSort::memory, true, 8, false, false, 0,
     [](const Sight& s, const InstanceReport&) { return Cell{bytes_text(memory_of(*s.seen))}; }},
    {"reloads", TopSort::reloads, true, 4, false, false, 0,
     [](const Sight&, const InstanceReport& r) { return Cell{reloads_of(r)}; }},
    {"last", {}, false, 7, true, false, 15, [](const Sight&, const InstanceReport& r) { return last_of(r); }},
    {"up",
     {},
     false,
     3,
     false,
     false,
     9,
     [](const Sight&, const InstanceReport& r) { return Cell{to_rough_text(r.age)}; }},
    {"trouble",
     {},
     false,
     6,
     true,
     true,
     0,
     [](const Sight&, const InstanceReport& r) {
       return Cell{trouble_of(r), Paint::red};
     }},
    {"command",
     {},
     false,
     1,
     true,
     true,
     0,
     [](const Sight&, const InstanceReport& r) {
       return Cell{one_cell(r.command), Paint::dim};
     }},
};

// The column that all are sorted by is marked.
std::string heading_of(std::string_view heading, bool sorts) {
  return sorts ? fmt::format("{}*", heading) : std::string(heading);
}

Cell phase_cell(const Sight& s) {
  const std::string_view phase = phase_of(s);
  return {one_cell(phase), s.told() || !s.seen ? paint_of_phase(phase) : Paint::red};
}

}  // namespace

std::vector<const Sight*> sorted(const Sights& sights, TopSort by) {
  std::vector<const Sight*> all;
  for (const Sight& s : sights.instances) all.push_back(&s);
  const auto before = [&](const Sight* a, const Sight* b) {
    if (by == TopSort::phase) return rank_of_phase(phase_of(*a)) < rank_of_phase(phase_of(*b));
    const auto of_a = amount_of(*a, by);
    const auto of_b = amount_of(*b, by);
    return of_a.has_value() && (!of_b.has_value() || *of_a > *of_b);
  };
  if (by != TopSort::name) std::ranges::stable_sort(all, before);
  return all;
}

std::vector<Line> overview(const std::vector<const Sight*>& sights, TopSort by, std::size_t columns) {
  std::vector<FittedColumn> shown;
  const std::size_t longest_name = std::max<std::size_t>(8, columns / 5);
  FittedColumn& name = shown.emplace_back();
  name.heading = heading_of(name_heading, by == TopSort::name);
  for (const Sight* s : sights)
    name.cells.push_back({shortened(one_cell(s->name()), longest_name), Paint::bold});
  FittedColumn& phase = shown.emplace_back();
  phase.heading = heading_of("phase", by == TopSort::phase);
  phase.least = 9;
  for (const Sight* s : sights) phase.cells.push_back(phase_cell(*s));
  for (const Column& c : table) {
    FittedColumn& filled = shown.emplace_back();
    filled = {.heading = heading_of(c.heading, c.sort == by),
              .right = c.right,
              .goes = c.goes,
              .free = c.free,
              .optional = c.optional,
              .least = c.least};
    for (const Sight* s : sights) {
      const bool why = c.free && s->seen && !s->told() && c.heading == "trouble";
      filled.cells.push_back(s->told() ? c.cell(*s, s->seen->report)
                             : why     ? Cell{one_cell(s->seen->why), Paint::red}
                                       : Cell{});
    }
  }
  return lines_of_table(fit_columns(std::move(shown), columns));
}

std::string summary(const Sights& sights, TopSort by) {
  std::string text = counted(sights.instances.size(), "instance", "instances");
  const auto silent =
      std::ranges::count_if(sights.instances, [](const Sight& s) { return s.seen && !s.told(); });
  if (silent > 0) text += fmt::format(", {} without an answer", silent);
  const auto word = std::ranges::find(top_sorts, by, &std::pair<std::string_view, TopSort>::second);
  return text + fmt::format(", by {}", word->first);
}

}  // namespace graced
