#include "client/event_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "client/report_text.h"
#include "core/canary.h"
#include "core/counted.h"
#include "core/printable.h"

namespace graced {
namespace {

// " after 1.2s (prepare 2ms, check 300ms, start 900ms)"; "" where nothing is known.
std::string course(const InstanceEvent& e) {
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

std::string what_happened(const InstanceEvent& e) {
  using Kind = InstanceEvent::Kind;
  const std::string reason = printable(reason_line(e));
  const std::string because = reason.empty() ? "" : ": " + reason;
  const std::string generation = fmt::format("generation {}", e.generation.value_or(0));
  switch (e.kind) {
    case Kind::serving:
      return generation + (e.by.how == "crash" ? " serves again" : " serves" + course(e));
    case Kind::reloaded:
      return generation + " serves" + course(e);
    case Kind::reload_failed:
      return fmt::format("{} failed{}{}", generation, course(e), because);
    case Kind::promoted:
      return generation + " has stood its probation";
    case Kind::rolled_back:
      return fmt::format("{} was rolled back, generation {} serves{}", generation, e.serving.value_or(0),
                         because);
    case Kind::replaced:
      return fmt::format("{} serves{} in the place of another one of the same, whose probe failed{}",
                         generation, course(e), because);
    case Kind::replacement_failed:
      return fmt::format("{}, which was to replace one whose probe failed, failed{}{}", generation, course(e),
                         because);
    case Kind::taken:
      return fmt::format("{} serves in the place of {}", generation, reason);
    case Kind::upgraded:
      return fmt::format("graced was upgraded {}", reason);
    case Kind::upgrade_failed:
      return "graced could not be upgraded" + because;
    case Kind::crashed:
      return fmt::format("worker {} of {}{} {}", e.worker.value_or(0), generation,
                         e.worker_pid ? fmt::format(" (PID {})", *e.worker_pid) : "", reason);
    case Kind::hammered:
      return fmt::format("{} of {} killed{}", counted(e.killed, "worker", "workers"),
                         e.generation ? generation : "the graced before", because);
    case Kind::gave_up:
      return "graced gives up" + because;
    case Kind::stopping:
      return "graced stops" + because;
    case Kind::preparing:
      return generation + " is prepared";
    case Kind::checking:
      return generation + " is checked";
    case Kind::starting:
      return generation + " is started";
    case Kind::ready:
      return generation + " is ready";
    case Kind::probing:
      return generation + " is probed";
    case Kind::canary:
      return fmt::format("{} gets {} of new connections", generation, share_text(e.per_mille));
    case Kind::draining:
      return generation + " gets no new connections, and finishes those it has";
    case Kind::gone:
      return generation + " is gone";
    case Kind::degraded:
      return generation + " serves with fewer workers than were asked for";
    case Kind::down:
      return "nobody serves";
    case Kind::recovered:
      return generation + " serves with all its workers again";
    case Kind::instance_found:
      return e.serving ? fmt::format("is followed, generation {} serves", *e.serving)
                       : "is followed, nobody serves";
    case Kind::instance_gone:
      return "graced is gone";
    case Kind::events_missed:
      return "events are missing: they were not read in time";
    case Kind::other:
      break;
  }
  return printable(e.other_word) + because;
}

}  // namespace

std::string local_time_text(std::chrono::system_clock::time_point at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(seconds));
}

std::string event_sentence(const InstanceEvent& event) {
  return what_happened(event) + who(event.by);
}

std::string event_text(const InstanceEvent& event, std::string_view who, bool colour) {
  const auto painted = [&](std::string_view code, const std::string& part) {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, part) : part;
  };
  const std::string sentence = event_sentence(event);
  std::string text = fmt::format("{}  {}{}\n", painted("2", local_time_text(event.at)), who,
                                 event.ok ? sentence : painted("31", sentence));
  if (const auto end = event.reason.find('\n'); end != std::string::npos)
    text += printable_lines(std::string_view(event.reason).substr(end + 1), std::string(21, ' ') + "| ");
  return text;
}

}  // namespace graced
