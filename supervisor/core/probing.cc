#include "core/probing.h"

#include <fmt/format.h>

#include <algorithm>

namespace graced {

Probing::Probing(const std::vector<ProbeRule>& rules, Duration patience, Instant now)
    : patience_(patience), deadline_(after(now, patience)) {
  for (const ProbeRule& rule : rules)
    probes_.push_back({.rule = rule, .next = after(now, rule.start_delay), .status = {.what = rule.what}});
}

std::vector<unsigned> Probing::due(Instant now) {
  std::vector<unsigned> found;
  for (unsigned i = 0; i < probes_.size(); ++i) {
    Course& p = probes_[i];
    if (p.looks || p.status.passed || p.next > now) continue;
    p.looks = true;
    found.push_back(i);
  }
  return found;
}

void Probing::passed(unsigned probe, Instant now) {
  Course* p = looking(probe);
  if (!p) return;
  p->looks = false;
  p->next = after(now, p->rule.interval);
  p->status.fails = 0;
  p->status.saw.clear();
  p->status.passed = ++p->status.passes >= p->rule.passes;
}

std::optional<std::string> Probing::failed(unsigned probe, const std::string& saw, Instant now) {
  Course* p = looking(probe);
  if (!p) return std::nullopt;
  p->looks = false;
  p->next = after(now, p->rule.interval);
  p->status.passes = 0;
  p->status.saw = saw;
  if (++p->status.fails < p->rule.fails) return std::nullopt;
  return fmt::format("{}: {}, {} of {} failed", p->rule.what, saw, p->status.fails, p->rule.fails);
}

bool Probing::all_passed() const {
  return std::ranges::all_of(probes_, [](const Course& p) { return p.status.passed; });
}

std::optional<std::string> Probing::late(Instant now) const {
  if (deadline_ > now) return std::nullopt;
  const auto p = std::ranges::find_if(probes_, [](const Course& c) { return !c.status.passed; });
  if (p == probes_.end()) return std::nullopt;
  return fmt::format("{}: {}not passed within {}", p->rule.what,
                     p->status.saw.empty() ? "" : p->status.saw + ", ", to_text(patience_));
}

Instant Probing::next() const {
  Instant next = deadline_;
  for (const Course& p : probes_) {
    if (!p.looks && !p.status.passed) next = std::min(next, p.next);
  }
  return next;
}

std::vector<ProbeStatus> Probing::status() const {
  std::vector<ProbeStatus> found;
  for (const Course& p : probes_) found.push_back(p.status);
  return found;
}

Probing::Course* Probing::looking(unsigned probe) {
  return probe < probes_.size() && probes_[probe].looks ? &probes_[probe] : nullptr;
}

}  // namespace graced
