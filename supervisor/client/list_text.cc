// A table whose columns are there as long as the terminal has room for them.
#include "client/list_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "client/page.h"
#include "core/columns.h"
#include "core/time.h"
#include "core/utf8.h"

namespace graced {
namespace {

constexpr std::size_t gap = 2;        // between columns
constexpr std::size_t readable = 16;  // free text is not shortened below this

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

// Since it serves: since its reload, else, without one, since graced runs. Where another reload has failed
// since, as long as its oldest worker lives, which may be less.
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

std::string addresses_of(const InstanceReport& r) {
  std::vector<std::string> shown;
  for (const AddressReport& a : r.addresses) {
    std::string address = one_cell(a.address);
    if (address.starts_with("tcp ")) address.erase(0, 4);
    if (std::ranges::find(shown, address) == shown.end()) shown.push_back(std::move(address));
  }
  return fmt::format("{}", fmt::join(shown, ", "));
}

// What is wrong with it, or was with its last reload.
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
       const auto n = std::ranges::count_if(r.workers, drains);
       return Cell{n > 0 ? fmt::to_string(n) : "", Paint::yellow};
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

// A column with its cells, the heading first.
struct Filled {
  const Column* column;
  std::vector<Cell> cells;
  std::size_t width;
};

std::optional<Filled> filled(const Column& column, const std::vector<InstanceReport>& reports) {
  Filled f{&column, {Cell{std::string(column.heading), Paint::dim, column.right}}, columns_of(column.heading)};
  bool any = false;
  for (const InstanceReport& r : reports) {
    Cell& cell = f.cells.emplace_back(column.cell(r));
    cell.right = column.right;
    f.width = std::max(f.width, columns_of(cell.text));
    any = any || !cell.text.empty();
  }
  if (column.optional && !any) return std::nullopt;
  return f;
}

void shorten(Cell& cell, std::size_t width) {
  if (columns_of(cell.text) <= width) return;
  std::string_view rest = cell.text;
  std::string kept;
  while (!rest.empty()) {
    const std::size_t length = std::max<std::size_t>(1, decode_utf8(rest).length);
    if (columns_of(kept) + columns_of(rest.substr(0, length)) + 1 > width) break;
    kept += rest.substr(0, length);
    rest.remove_prefix(length);
  }
  cell.text = kept + "\u2026";
}

std::size_t width_of(const std::vector<Filled>& columns) {
  std::size_t width = 0;
  for (const Filled& f : columns) width += f.width + (width > 0 ? gap : 0);
  return width;
}

void fit(std::vector<Filled>& columns, std::size_t limit) {
  while (width_of(columns) > limit) {
    const auto rank = [](const Filled& f) { return f.column->goes == 0 ? ~0U : f.column->goes; };
    const auto first = std::ranges::min_element(columns, {}, rank);
    if (first->column->goes == 0) return;
    const std::size_t others = width_of(columns) - first->width;
    if (first->column->free && limit >= others + readable) {
      for (Cell& cell : first->cells) shorten(cell, limit - others);
      return;
    }
    columns.erase(first);
  }
}

}  // namespace

std::string list_text(const std::vector<InstanceReport>& reports, bool colour, std::size_t columns) {
  if (reports.empty()) return "";
  std::vector<Filled> shown;
  for (const Column& column : table)
    if (auto f = filled(column, reports)) shown.push_back(std::move(*f));
  if (columns > 0) fit(shown, columns);

  std::vector<std::vector<Cell>> rows(reports.size() + 1);
  for (Filled& f : shown)
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].push_back(std::move(f.cells[i]));
  Page page{colour};
  page.table("", rows);
  return std::move(page).text();
}

}  // namespace graced
