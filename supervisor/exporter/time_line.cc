// The history is gone through from its beginning: who serves, and who did before.
#include "exporter/time_line.h"

#include <algorithm>
#include <map>
#include <optional>

namespace graced {
namespace {

using Kind = InstanceEvent::Kind;
using State = GenerationState;

class Walk {
 public:
  Walk(const InstanceReport& report, const std::vector<Sighting>& sightings, Instant now)
      : report_(report), sightings_(sightings), now_(now) {}

  void take(const InstanceEvent& e);
  void end();
  std::map<std::uint64_t, GenerationRow> rows() && { return std::move(rows_); }

 private:
  // Served, and does so no more.
  struct Former {
    std::uint64_t generation;
    std::uint64_t successor;
    Instant since;
    bool settled = false;  // it is drawn what it was from then on
  };

  GenerationRow& row(std::uint64_t generation);
  void band(std::uint64_t generation, State state, Instant from, Instant to, bool goes_on = false);
  void trial(const InstanceEvent& e);
  void serves(std::uint64_t generation, Instant at);
  void serves_no_more(Instant at);
  void promoted(const InstanceEvent& e);
  void rolled_back(const InstanceEvent& e);
  void leaves(std::uint64_t generation, Instant from);
  void candidate();

  const InstanceReport& report_;
  const std::vector<Sighting>& sightings_;
  Instant now_;
  std::map<std::uint64_t, GenerationRow> rows_;
  std::optional<std::uint64_t> serving_;
  Instant since_{};
  std::optional<Instant> crashed_;  // the first time since then: nobody knows who served afterwards
  std::vector<Former> former_;
  std::vector<std::pair<std::uint64_t, Instant>> leaving_;  // since when
};

GenerationRow& Walk::row(std::uint64_t generation) {
  GenerationRow& r = rows_[generation];
  r.generation = generation;
  return r;
}

void Walk::band(std::uint64_t generation, State state, Instant from, Instant to, bool goes_on) {
  if (to > from) row(generation).bands.push_back({state, from, to, goes_on});
}

// Stages come one after the other, and together they are all of it.
void Walk::trial(const InstanceEvent& e) {
  if (!e.took || !e.generation) return;
  Instant at = e.monotonic - *e.took;
  const auto stage = [&](State state, const std::optional<Duration>& took) {
    if (!took) return;
    band(*e.generation, state, at, at + *took);
    at += *took;
  };
  const Duration before_ready =
      e.stages.prepare.value_or(0s) + e.stages.check.value_or(0s) + e.stages.start.value_or(0s);
  stage(State::start, before_ready);
  stage(State::ready, e.stages.probe);
  stage(State::canary, e.stages.canary);
}

void Walk::serves(std::uint64_t generation, Instant at) {
  serving_ = generation;
  since_ = at;
  crashed_.reset();
}

void Walk::serves_no_more(Instant at) {
  if (serving_) band(*serving_, State::serving, since_, at);
}

void Walk::take(const InstanceEvent& e) {
  if (!e.generation && e.kind != Kind::gave_up && e.kind != Kind::stopping) return;
  const std::uint64_t generation = e.generation.value_or(0);
  const auto mark = [&](Mark::Kind kind, std::string what) {
    row(generation).marks.push_back({kind, e.monotonic, std::move(what)});
  };
  switch (e.kind) {
    case Kind::serving:
      if (serving_) serves_no_more(crashed_.value_or(since_));
      if (serving_ != generation) trial(e);
      return serves(generation, e.monotonic);
    case Kind::reloaded:
    case Kind::replaced:
      trial(e);
      if (serving_) {
        serves_no_more(e.monotonic);
        former_.push_back({*serving_, generation, e.monotonic});
      }
      return serves(generation, e.monotonic);
    case Kind::reload_failed:
    case Kind::replacement_failed:
      trial(e);
      mark(Mark::Kind::failed, std::string(reason_line(e)));
      leaving_.emplace_back(generation, e.monotonic);
      return;
    case Kind::promoted:
      return promoted(e);
    case Kind::rolled_back:
      mark(Mark::Kind::rolled_back, std::string(reason_line(e)));
      return rolled_back(e);
    case Kind::crashed:
      mark(Mark::Kind::crashed, std::string(reason_line(e)));
      if (serving_ == generation && !crashed_) crashed_ = e.monotonic;
      return;
    case Kind::hammered:
      return mark(Mark::Kind::killed, std::string(reason_line(e)));
    case Kind::gave_up:
    case Kind::stopping:
      serves_no_more(crashed_.value_or(e.monotonic));
      serving_.reset();
      return;
    case Kind::taken:
    case Kind::upgraded:
    case Kind::upgrade_failed:
    case Kind::preparing:
    case Kind::checking:
    case Kind::starting:
    case Kind::ready:
    case Kind::probing:
    case Kind::canary:
    case Kind::draining:
    case Kind::gone:
    case Kind::degraded:
    case Kind::down:
    case Kind::recovered:
    case Kind::instance_found:
    case Kind::instance_gone:
    case Kind::events_missed:
    case Kind::other:
      return;
  }
}

// Who stood by is the one before it, unless that one itself was not proven: then another one did.
void Walk::promoted(const InstanceEvent& e) {
  const auto before = std::ranges::find(former_, *e.generation, &Former::successor);
  if (before == former_.end() || before->settled) return;
  const auto unproven = std::ranges::find(former_, before->generation, &Former::successor);
  if (unproven != former_.end() && !unproven->settled) return;
  band(before->generation, State::standby, before->since, e.monotonic);
  before->settled = true;
  leaving_.emplace_back(before->generation, e.monotonic);
}

void Walk::rolled_back(const InstanceEvent& e) {
  if (!e.serving) return;
  if (serving_ == e.generation) {
    serves_no_more(crashed_.value_or(e.monotonic));
    leaving_.emplace_back(*e.generation, e.monotonic);
  }
  for (Former& f : former_) {
    if (f.generation != *e.serving || f.settled) continue;
    band(f.generation, State::standby, f.since, e.monotonic);
    f.settled = true;
  }
  serves(*e.serving, e.monotonic);
}

// That it drains is known as long as it was seen to, or until it was killed. Of one that was seen to stand by
// it is not known when that ended.
void Walk::leaves(std::uint64_t generation, Instant from) {
  std::optional<Instant> stood_by;
  std::optional<Instant> last;
  std::optional<Instant> gone;
  Instant drains = from;
  for (const Sighting& s : sightings_) {
    if (s.generation != generation || s.last < from) continue;
    if (s.state == State::standby) stood_by = s.last;
    if (s.state != State::draining) continue;
    if (stood_by && !last) drains = s.first;
    last = s.last;
    gone = s.gone;
  }
  if (stood_by) band(generation, State::standby, from, *stood_by);
  std::vector<Mark>& marks = row(generation).marks;
  for (const Mark& m : marks)
    if (m.kind == Mark::Kind::killed && m.at >= drains) last = std::max(last.value_or(m.at), m.at);
  if (last) band(generation, State::draining, drains, *last, !gone && *last >= now_);
  if (gone) marks.push_back({Mark::Kind::gone, *gone, ""});
}

// What it will have been its history tells when it has ended.
void Walk::candidate() {
  if (report_.candidate == 0) return;
  std::optional<Duration> oldest;
  for (const WorkerReport& w : report_.workers)
    if (w.generation == report_.candidate && w.pid != 0) oldest = std::max(oldest.value_or(w.age), w.age);
  if (!oldest && report_.check) oldest = report_.check->age;
  bool first = true;
  for (const Sighting& s : sightings_) {
    if (s.generation != report_.candidate) continue;
    Instant from = s.first;
    if (first && s.state == State::start && oldest) from = std::min(from, now_ - *oldest);
    first = false;
    band(s.generation, s.state, from, s.last, s.last >= now_);
    row(s.generation);
  }
}

void Walk::end() {
  if (!serving_ && report_.serving != 0 && report_.last_reload && report_.last_reload->ok &&
      report_.last_reload->generation == report_.serving)
    serves(report_.serving, now_ - report_.last_reload->age);
  if (serving_ && serving_ == report_.serving) {
    const auto is_ready = [&](const WorkerReport& w) {
      return w.generation == report_.serving && w.state == "ready";
    };
    if (std::ranges::any_of(report_.workers, is_ready)) {
      band(*serving_, State::serving, since_, now_, true);
    } else {
      serves_no_more(crashed_.value_or(since_));
    }
  }
  for (const Former& f : former_) {
    if (f.settled) continue;
    if (report_.standby == f.generation) {
      band(f.generation, State::standby, f.since, now_, true);
    } else {
      leaves(f.generation, f.since);
    }
  }
  for (const auto& [generation, at] : leaving_) leaves(generation, at);
  candidate();
}

}  // namespace

TimeLine time_line(const InstanceReport& report, const std::vector<InstanceEvent>& history,
                   const std::vector<Sighting>& sightings, Instant now) {
  Walk walk{report, sightings, now};
  for (const InstanceEvent& e : history) walk.take(e);
  walk.end();
  auto rows = std::move(walk).rows();
  std::erase_if(rows, [](const auto& r) { return r.second.bands.empty() && r.second.marks.empty(); });
  const auto lives = [&](const GenerationRow& row) {
    return row.generation == report.serving || std::ranges::any_of(row.bands, &Band::goes_on);
  };
  TimeLine line{.rows = {}, .now = now};
  for (auto at = rows.rbegin(); at != rows.rend(); ++at)
    if (line.rows.size() < most_rows || lives(at->second)) line.rows.push_back(std::move(at->second));
  for (GenerationRow& row : line.rows) std::ranges::sort(row.bands, {}, &Band::from);
  return line;
}

}  // namespace graced
