#include "top/instance_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "client/fitted_columns.h"
#include "client/history_text.h"
#include "client/report_text.h"
#include "top/amounts.h"

namespace graced {
namespace {

std::string role_of(const InstanceReport& r, std::uint64_t generation) {
  if (generation == r.serving) return "serving";
  if (generation == r.candidate) return "candidate";
  if (generation == r.standby) return "standby";
  return "draining";
}

std::optional<double> share_of(const Sight& s, std::uint64_t generation) {
  const auto at = s.generation_cpu.find(generation);
  return at == s.generation_cpu.end() ? std::nullopt : std::optional(at->second);
}

std::vector<Line> generations(const Sight& s, std::size_t columns) {
  FittedColumn number{.heading = "generation", .right = true};
  FittedColumn role{.heading = "role", .least = 9};
  FittedColumn processes{.heading = "processes", .right = true, .goes = 1};
  FittedColumn connections{.heading = "connections", .right = true};
  FittedColumn cpu{.heading = "cpu", .right = true, .least = 5};
  FittedColumn memory{.heading = "memory", .right = true, .least = 6};
  for (const GenerationLoad& g : s.seen->generations) {
    number.cells.push_back({fmt::to_string(g.generation)});
    role.cells.push_back({role_of(s.seen->report, g.generation)});
    processes.cells.push_back({count_text(g.processes)});
    connections.cells.push_back({count_text(g.connections)});
    cpu.cells.push_back({share_text(share_of(s, g.generation))});
    memory.cells.push_back({bytes_text(g.memory)});
  }
  return lines_of_table(fit_columns({number, role, processes, connections, cpu, memory}, columns));
}

std::vector<Line> addresses(const Sight& s, std::size_t columns) {
  FittedColumn address{.heading = "address", .goes = 3, .free = true};
  FittedColumn connections{.heading = "connections", .right = true};
  FittedColumn queue{.heading = "queue", .right = true, .least = 6};
  FittedColumn drops{.heading = "drops", .right = true, .goes = 1};
  for (const AddressLoad& a : s.seen->addresses) {
    address.cells.push_back({one_cell(a.address)});
    connections.cells.push_back({count_text(a.connected)});
    queue.cells.push_back({queue_text(a.waiting, a.longest)});
    drops.cells.push_back({count_text(a.drops)});
  }
  return lines_of_table(fit_columns({address, connections, queue, drops}, columns));
}

// All of `graced status`, but for the addresses, which have more to tell here.
std::vector<Line> status(InstanceReport report) {
  report.addresses.clear();
  return lines_of_page(report_text(report, true));
}

class Lines {
 public:
  explicit Lines(std::size_t columns) : columns_(columns) {}

  void add(const std::vector<Line>& lines) {
    for (const Line& line : lines) {
      const std::vector<Line> parts = wrapped(line, columns_);
      lines_.insert(lines_.end(), parts.begin(), parts.end());
    }
  }
  void section(const std::string& heading, const std::vector<Line>& lines) {
    if (lines.empty()) return;
    if (!heading.empty()) add({Line{}, line_of(heading, Paint::bold)});
    add(lines);
  }
  std::vector<Line> take() && { return std::move(lines_); }

 private:
  std::size_t columns_;
  std::vector<Line> lines_;
};

}  // namespace

std::vector<Line> instance_page(const Sight& s, const std::vector<InstanceEvent>& history,
                                std::size_t columns) {
  Lines lines(columns);
  if (!s.told()) {
    lines.add({line_of(!s.seen ? "" : one_cell(s.seen->why), Paint::red)});
    return std::move(lines).take();
  }
  lines.add(status(s.seen->report));
  if (!s.seen->generations.empty()) lines.section("generations", generations(s, columns));
  if (!s.seen->addresses.empty()) lines.section("addresses", addresses(s, columns));
  lines.section("graced itself",
                {line_of(fmt::format("cpu {}  memory {}  descriptors {}", share_text(s.supervisor_cpu),
                                     bytes_text(s.seen->supervisor.memory),
                                     count_text(s.seen->supervisor.descriptors)))});
  std::vector<InstanceEvent> newest_first(history.rbegin(), history.rend());
  lines.section("history, the newest first", lines_of_page(history_text(newest_first, true)));
  return std::move(lines).take();
}

}  // namespace graced
