// A table whose columns are there as long as the terminal has room for them.
#include "client/list_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "client/fitted_columns.h"
#include "client/page.h"
#include "core/columns.h"
#include "core/time.h"

namespace graced {
namespace {

struct Column {
  std::string_view heading;
  bool right;     // numbers
  unsigned goes;  // where there is no room: 1 is the first to go; 0: it stays
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
  if (r.serving == 0) return std::nullopt;
  if (r.last_reload && r.last_reload->ok && r.last_reload->generation == r.serving) return r.last_reload->age;
  if (r.reloads == 0) return r.age;
  std::optional<Duration> oldest;
  for (const WorkerReport& w : r.workers)
    if (serves(r, w)) oldest = std::max(oldest.value_or(w.age), w.age);
  return oldest;
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

std::string trouble_of(const InstanceReport& r) {
  if (r.last_exit && (r.phase == "down" || r.phase == "degraded"))
    return fmt::format("worker {} {}, {} ago", r.last_exit->slot, one_cell(r.last_exit->how),
                       to_rough_text(r.last_exit->age));
  if (r.last_reload && !r.last_reload->ok) return one_cell(without_last_words(r.last_reload->why));
  return "";
}

Cell last_reload_of(const InstanceReport& r) {
  if (!r.last_reload) return {"-"};
  const std::string ago = to_rough_text(r.last_reload->age) + " ago";
  return r.last_reload->ok ? Cell{"ok " + ago} : Cell{"failed " + ago, Paint::red};
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
    {"last reload", false, 0, false, false, last_reload_of},
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
