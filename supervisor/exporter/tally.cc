// The last entry that was counted is found again; what follows it is new.
#include "exporter/tally.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "core/history.h"

namespace graced {

std::string_view to_text(FailureClass why) {
  switch (why) {
    case FailureClass::prepare:
      return "prepare";
    case FailureClass::check:
      return "check";
    case FailureClass::start:
      return "start";
    case FailureClass::late:
      return "late";
    case FailureClass::probe:
      return "probe";
    case FailureClass::canary:
      return "canary";
    case FailureClass::aborted:
      return "aborted";
  }
  return "";
}

FailureClass failure_class(const InstanceEvent& failed) {
  const std::string_view why = failed.reason;
  if (why.starts_with("aborted by ") || why == "graced is stopping" || why.starts_with("generation "))
    return FailureClass::aborted;
  if (why.starts_with("not ready within ") || why.starts_with("not prepared within "))
    return FailureClass::late;
  if (failed.stages.canary) return FailureClass::canary;
  if (failed.stages.probe) return FailureClass::probe;
  if (failed.stages.start) return FailureClass::start;
  return why.starts_with("check: ") ? FailureClass::check : FailureClass::prepare;
}

void DurationHistogram::add(Duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  for (std::size_t i = 0; i < bounds.size(); ++i)
    if (seconds <= bounds[i]) ++at_most[i];
  ++count;
  sum += seconds;
}

std::string_view role_of(const InstanceReport& report, std::uint64_t generation) {
  if (generation == report.serving) return "serving";
  if (generation == report.candidate) return "candidate";
  if (generation == report.standby) return "standby";
  return "draining";
}

std::size_t Tally::take(const std::vector<InstanceEvent>& history, std::int32_t pid, Instant known_from) {
  const bool another = pid != pid_;
  const auto is_last = [&](const InstanceEvent& e) { return e.monotonic == seen_; };
  auto next = history.begin();
  if (!another && seen_ != Instant{}) {
    const auto last = std::ranges::find_if(history, is_last);
    if (last != history.end()) {
      const auto past = std::find_if_not(last, history.end(), is_last);  // the same moment may have several
      next = last + std::min<std::ptrdiff_t>(seen_then_, past - last);
    } else if (!history.empty()) {
      ++gaps_;
    }
  } else if (pid_ != 0 && history.size() >= History::capacity) {
    ++gaps_;
  }
  pid_ = pid;
  if (another) {
    seen_ = {};
    cpu_.begin_anew();
    datagrams_.begin_anew();
  }
  std::size_t counted = 0;
  for (; next != history.end(); ++next) {
    if (next->monotonic < known_from) continue;
    count(*next);
    ++counted;
  }
  if (!history.empty()) {
    seen_ = history.back().monotonic;
    seen_then_ = std::ranges::count_if(history, is_last);
  }
  return counted;
}

void Tally::count(const InstanceEvent& entry) {
  if (entry.kind == InstanceEvent::Kind::reload_failed)
    ++failures_[static_cast<std::size_t>(failure_class(entry))];
  if (entry.kind == InstanceEvent::Kind::crashed) ++crashes_;
  if (entry.kind == InstanceEvent::Kind::hammered) hammered_ += entry.killed;
  if (entry.kind != InstanceEvent::Kind::reloaded) return;
  const auto add = [&](std::string_view stage, const std::optional<Duration>& took) {
    if (took) durations_[stage].add(*took);
  };
  add("total", entry.took);
  add("prepare", entry.stages.prepare);
  add("check", entry.stages.check);
  add("start", entry.stages.start);
  add("probe", entry.stages.probe);
  add("canary", entry.stages.canary);
}

void Tally::take_cpu(const InstanceReport& report, const std::map<std::uint64_t, Duration>& cpu) {
  cpu_.take(cpu, [&](std::uint64_t generation) { return role_of(report, generation); });
}

void Tally::take_datagrams(const InstanceReport& report) {
  std::map<std::uint64_t, std::uint64_t> came;
  for (const DatagramReport& d : report.datagrams) came[d.generation] = d.datagrams;
  datagrams_.take(came, [&](std::uint64_t generation) { return role_of(report, generation); });
}

void Tally::take_drops(const std::vector<AddressLoad>& addresses) {
  std::map<std::string, Drops> now;
  for (const AddressLoad& a : addresses) {
    if (!a.drops) continue;
    const auto before = drops_.find(a.address);
    Drops drops = before != drops_.end() ? before->second : Drops{.told = *a.drops, .count = 0};
    if (*a.drops > drops.told) drops.count += *a.drops - drops.told;
    drops.told = *a.drops;
    now[a.address] = drops;
  }
  drops_ = std::move(now);
}

std::optional<std::uint64_t> Tally::drops(const std::string& address) const {
  const auto found = drops_.find(address);
  return found != drops_.end() ? std::optional{found->second.count} : std::nullopt;
}

}  // namespace graced
