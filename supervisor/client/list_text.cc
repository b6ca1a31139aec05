// A table whose columns are there as long as the terminal has room for them.
#include "client/list_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "client/exit_class.h"
#include "client/fitted_columns.h"
#include "client/page.h"
#include "core/columns.h"
#include "core/time.h"

namespace graced {
namespace {

struct Column {
  std::string_view heading;
  bool right;     // numbers
  unsigned goes;  // as in FittedColumn
  bool free;      // text, which can be shortened
  bool optional;  // it is not there where nobody has anything in it
  Cell (*cell)(const InstanceReport&);
};

bool drains(const WorkerReport& w) {
  return w.state == "draining" || w.state == "leaving" || w.state == "killed";
}

bool serves(const InstanceReport& r, const WorkerReport& w) {
  return w.generation == r.serving && w.state == "ready";
}

}  // namespace

std::optional<Duration> age_of_serving(const InstanceReport& r) {
  if (r.serving == 0 || r.phase == "down") return std::nullopt;
  std::optional<Duration> oldest;
  for (const WorkerReport& w : r.workers)
    if (serves(r, w)) oldest = std::max(oldest.value_or(w.age), w.age);
  if (r.last_exit && oldest && *oldest < r.last_exit->age) return oldest;
  if (r.last_reload && r.last_reload->ok && r.last_reload->generation == r.serving) return r.last_reload->age;
  return r.reloads == 0 ? r.age : oldest;
}

std::string workers_of(const InstanceReport& r) {
  if (r.serving == 0) return "-";
  const auto ready = std::ranges::count_if(r.workers, [&](const WorkerReport& w) { return serves(r, w); });
  if (r.workers_asked == 0 || ready == r.workers_asked) return fmt::to_string(ready);
  return fmt::format("{}/{}", ready, r.workers_asked);
}

std::string draining_of(const InstanceReport& r) {
  const auto n = std::ranges::count_if(r.workers, drains);
  return n > 0 ? fmt::to_string(n) : "";
}

namespace {

constexpr Duration lately = 10min;  // so long a worker that ended by itself is trouble, though others serve

enum class Last { nothing, reload, replacement, exit };

Last last_kind(const InstanceReport& r) {
  Last newest = Last::nothing;
  Duration age = infinity;
  const auto consider = [&](Last kind, const auto& what) {
    if (!what || what->age > age) return;
    newest = kind;
    age = what->age;
  };
  consider(Last::reload, r.last_reload);
  consider(Last::replacement, r.last_replacement);
  consider(Last::exit, r.last_exit);
  return newest;
}

bool lacks_workers(const InstanceReport& r) {
  return r.phase == "down" || r.phase == "degraded";
}

constexpr std::string_view rolled_back = "rolled back";

std::string reload_words(const ReloadReport& reload) {
  if (reload.ok) return "reloaded";
  return std::string(reload.why.starts_with(rolled_back) ? rolled_back : "reload failed");
}

std::string exit_words(const ExitReport& e) {
  switch (exit_class(e)) {
    case ExitClass::late:
      return "not ready in time,";
    case ExitClass::signal:
      return fmt::format("killed by {},", one_cell(e.signal));
    case ExitClass::exec:
      return "not started,";
    case ExitClass::status:
    case ExitClass::end:
      break;
  }
  return e.status ? fmt::format("exit {},", *e.status) : "left by itself,";
}

// The last of what it said; where that is not shown to who asks there is none.
std::string with_last_word(std::string text, std::string_view words) {
  if (!words.empty()) text += ": " + one_cell(words);
  return text;
}

std::string exit_trouble(const InstanceReport& r) {
  const ExitReport& e = *r.last_exit;
  std::string text = fmt::format("worker {} {}", e.slot, one_cell(e.how));
  if (last_kind(r) != Last::exit) text += fmt::format(" {} ago", to_rough_text(e.age));
  if (r.restarts > 1) text += fmt::format(", {} replaced so far", r.restarts);
  return with_last_word(std::move(text), e.last_lines.empty() ? "" : e.last_lines.back());
}

std::string failure_trouble(std::string_view why) {
  const std::size_t end = why.find('\n');
  if (end == std::string_view::npos) return one_cell(why);
  return with_last_word(one_cell(why.substr(0, end)), why.substr(why.rfind('\n') + 1));
}

// What the column `last` says of it is not said again.
std::string reload_trouble(const ReloadReport& reload, bool is_last) {
  const std::string words = reload_words(reload) + ": ";
  std::string_view why = reload.why;
  if (why.starts_with(words)) why.remove_prefix(words.size());
  return (is_last ? "" : words) + failure_trouble(why);
}

}  // namespace

std::string trouble_of(const InstanceReport& r) {
  const Last last = last_kind(r);
  const bool crashed_lately = last == Last::exit && r.last_exit->age < lately;
  if (r.last_exit && (lacks_workers(r) || crashed_lately)) return exit_trouble(r);
  if (r.last_reload && !r.last_reload->ok) return reload_trouble(*r.last_reload, last == Last::reload);
  if (r.last_replacement && !r.last_replacement->ok) return failure_trouble(r.last_replacement->why);
  return "";
}

Cell last_of(const InstanceReport& r) {
  const auto cell = [](const std::string& words, Duration age, Paint paint) {
    return Cell{fmt::format("{} {} ago", words, to_rough_text(age)), paint};
  };
  switch (last_kind(r)) {
    case Last::nothing:
      break;
    case Last::reload:
      return cell(reload_words(*r.last_reload), r.last_reload->age,
                  r.last_reload->ok ? Paint::plain : Paint::red);
    case Last::replacement:
      return cell(r.last_replacement->ok ? "replaced" : "replacement failed", r.last_replacement->age,
                  r.last_replacement->ok ? Paint::yellow : Paint::red);
    case Last::exit:
      return cell(exit_words(*r.last_exit), r.last_exit->age,
                  lacks_workers(r) || r.last_exit->age < lately ? Paint::red : Paint::plain);
  }
  return {"-"};
}

namespace {

std::string addresses_of(const InstanceReport& r) {
  std::vector<std::string> shown;
  for (const AddressReport& a : r.addresses) {
    std::string address = one_cell(a.address);
    if (address.starts_with("tcp ")) address.erase(0, 4);
    if (std::ranges::find(shown, address) == shown.end()) shown.push_back(std::move(address));
  }
  return fmt::format("{}", fmt::join(shown, ", "));
}

constexpr Column table[]{
    {"name", false, 0, false, false,
     [](const InstanceReport& r) {
       return Cell{one_cell(r.name), Paint::bold};
     }},
    {"phase", false, 0, false, false,
     [](const InstanceReport& r) {
       return Cell{one_cell(r.phase), paint_of_phase(r.phase)};
     }},
    {"generation", true, 0, false, false,
     [](const InstanceReport& r) { return Cell{r.serving > 0 ? fmt::to_string(r.serving) : "-"}; }},
    {"age", false, 6, false, false,
     [](const InstanceReport& r) {
       const auto age = age_of_serving(r);
       return Cell{age ? to_rough_text(*age) : "-"};
     }},
    {"workers", true, 0, false, false, [](const InstanceReport& r) { return Cell{workers_of(r)}; }},
    {"draining", true, 5, false, true,
     [](const InstanceReport& r) {
       return Cell{draining_of(r), Paint::yellow};
     }},
    {"last", false, 0, true, false, last_of},
    {"up", false, 4, false, false,
     [](const InstanceReport& r) { return Cell{r.pid > 0 ? to_rough_text(r.age) : "-"}; }},
    {"PID", true, 2, false, false,
     [](const InstanceReport& r) { return Cell{r.pid > 0 ? fmt::to_string(r.pid) : "-"}; }},
    {"addresses", false, 3, true, true, [](const InstanceReport& r) { return Cell{addresses_of(r)}; }},
    {"trouble", false, 7, true, true, [](const InstanceReport& r) { return Cell{trouble_of(r)}; }},
    {"command", false, 1, true, true, [](const InstanceReport& r) { return Cell{one_cell(r.command)}; }},
};

}  // namespace

std::string list_text(const std::vector<InstanceReport>& reports, bool colour, std::size_t columns) {
  if (reports.empty()) return "";
  std::vector<FittedColumn> shown;
  for (const Column& c : table) {
    FittedColumn& filled = shown.emplace_back();
    filled = {.heading = std::string(c.heading),
              .right = c.right,
              .goes = c.goes,
              .free = c.free,
              .optional = c.optional};
    for (const InstanceReport& r : reports) filled.cells.push_back(c.cell(r));
  }
  Page page{colour};
  page.table("", fit_columns(std::move(shown), columns));
  return std::move(page).text();
}

}  // namespace graced
