// A probe wants yes or no; whoever reads its output wants the reason.
#include "client/readiness.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/printable.h"
#include "core/story.h"
#include "core/time.h"

namespace graced {

Readiness readiness_of(const InstanceReport& report) {
  // Before anything else: whoever sends connections here should stop to do so while there is time.
  if (report.phase == "stopping") return {false, "it is stopping"};
  if (report.serving == 0) {
    return {false, report.candidate == 0 ? "nothing serves"
                                         : fmt::format("generation {} is not ready yet", report.candidate)};
  }
  const auto serves = [&](const WorkerReport& w) {
    return w.generation == report.serving && w.state == "ready";
  };
  if (const auto ready = std::ranges::count_if(report.workers, serves); ready > 0) {
    const auto count = static_cast<std::uint64_t>(ready);
    if (report.phase == "degraded")
      return {true, "degraded: " + serving_text(report.serving, count, report.workers_asked)};
    return {true, serving_text(report.serving, count, count)};
  }
  const auto& last = report.last_exit;
  return {
      false,
      fmt::format("no worker of generation {} is ready{}{}", report.serving,
                  last ? fmt::format(", worker {} {}", last->slot, printable(last->how)) : "",
                  report.next_restart ? ", the next start is in " + to_rough_text(*report.next_restart) : "")};
}

}  // namespace graced
