#include "client/history_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "client/report_text.h"
#include "core/counted.h"
#include "core/printable.h"

namespace graced {
namespace {

// As clocks on the wall have it here.
std::string local_time(std::chrono::system_clock::time_point at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(seconds));
}

// " after 1.2s (prepare 2ms, check 300ms, start 900ms)"; "" where nothing is known.
std::string course(const HistoryEntry& e) {
  if (!e.took) return "";
  std::string stages;
  const auto add = [&](std::string_view name, const std::optional<Duration>& took) {
    if (took) stages += fmt::format("{}{} {}", stages.empty() ? "" : ", ", name, to_rough_text(*took));
  };
  add("prepare", e.stages.prepare);
  add("check", e.stages.check);
  add("start", e.stages.start);
  add("probe", e.stages.probe);
  add("canary", e.stages.canary);
  return fmt::format(" after {}{}", to_rough_text(*e.took), stages.empty() ? "" : " (" + stages + ")");
}

std::string who(const Asker& by) {
  std::string process = printable(by.program);
  if (by.pid != 0) process += fmt::format("{}PID {}", process.empty() ? "" : ", ", by.pid);
  if (by.user) {
    process += process.empty() ? "" : ", ";
    process += *by.user == 0 ? "root" : fmt::format("uid {}", *by.user);
  }
  if (by.how == "signal") {
    return fmt::format("; asked by {}{}", printable(by.signal), process.empty() ? "" : " of " + process);
  }
  if (by.how == "control") return fmt::format("; asked at the control socket by {}", process);
  return "";
}

std::string sentence(const HistoryEntry& e, const std::string& reason) {
  const std::string because = reason.empty() ? "" : ": " + reason;
  const std::string generation = fmt::format("generation {}", e.generation);
  if (e.event == HistoryEntry::serving)
    return generation + (e.by.how == "crash" ? " serves again" : " serves" + course(e));
  if (e.event == HistoryEntry::reloaded) return generation + " serves" + course(e);
  if (e.event == HistoryEntry::reload_failed)
    return fmt::format("{} failed{}{}", generation, course(e), because);
  if (e.event == HistoryEntry::rolled_back)
    return fmt::format("{} was rolled back, generation {} serves{}", generation, e.now_serving, because);
  if (e.event == HistoryEntry::crashed) {
    return fmt::format("worker {} of {}{} {}", e.slot.value_or(0), generation,
                       e.pid != 0 ? fmt::format(" (PID {})", e.pid) : "", reason);
  }
  if (e.event == HistoryEntry::hammered) {
    return fmt::format("{} of {} killed{}", counted(e.killed, "worker", "workers"),
                       e.generation == 0 ? "the graced before" : generation, because);
  }
  if (e.event == HistoryEntry::gave_up) return "graced gives up" + because;
  if (e.event == HistoryEntry::stopping) return "graced stops" + because;
  return printable(e.event) + because;  // of a later version
}

}  // namespace

std::string history_text(const std::vector<HistoryEntry>& entries, bool colour) {
  std::string text;
  for (const HistoryEntry& e : entries) {
    const std::size_t end = std::min(e.why.find('\n'), e.why.size());
    const std::string line = sentence(e, printable(e.why.substr(0, end))) + who(e.by);
    const auto painted = [&](std::string_view code, const std::string& part) {
      return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, part) : part;
    };
    text += fmt::format("{}  {}\n", painted("2", local_time(e.at)), e.ok ? line : painted("31", line));
    if (end < e.why.size())
      text += printable_lines(std::string_view(e.why).substr(end + 1), std::string(21, ' ') + "| ");
  }
  return text;
}

}  // namespace graced
