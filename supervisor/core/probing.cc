#include "core/probing.h"

#include <fmt/format.h>

#include <algorithm>

namespace graced {

Probing::Probing(const std::vector<ProbeRule>& rules, Duration patience, Instant now)
    : patience_(patience), deadline_(after(now, patience)) {
  for (const ProbeRule& rule : rules)
    probes_.push_back({.rule = rule, .next = after(now, rule.start_delay), .status = {.what = rule.what}});
}

// None of them is ever over but those that do not look at who serves.
Probing Probing::while_serving(const std::vector<ProbeRule>& rules, Instant now) {
  Probing probing;
  for (const ProbeRule& rule : rules) {
    Course& p = probing.probes_.emplace_back(Course{.rule = rule, .status = {.what = rule.what}});
    p.status.passed = !rule.while_serving;
    p.rule.interval = rule.while_serving.value_or(0s);
    p.endless = true;
    p.next = after(now, p.rule.interval);
  }
  return probing;
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
  if (++p->status.passes >= p->rule.passes) p->status.passed = !p->endless;
}

std::optional<std::string> Probing::failed(unsigned probe, const std::string& saw, Instant now) {
  Course* p = looking(probe);
  if (!p) return std::nullopt;
  p->looks = false;
  p->next = after(now, p->rule.interval);
  p->status.passes = 0;
  p->status.saw = saw;
  if (++p->status.fails < p->rule.fails) return std::nullopt;
  return text_of(*p);
}

std::string Probing::text_of(const Course& course) {
  return fmt::format("{}: {}, {} of {} failed", course.rule.what, course.status.saw, course.rule.fails,
                     course.rule.fails);
}

void Probing::begin_anew(Instant now) {
  for (Course& p : probes_) {
    if (p.status.passed) continue;
    p.status = {.what = p.rule.what};
    p.next = std::max(p.next, after(now, std::max(p.rule.start_delay, p.rule.interval)));
  }
}

bool Probing::any() const {
  return !all_passed();
}

std::optional<std::string> Probing::failure() const {
  const auto p = std::ranges::find_if(
      probes_, [](const Course& c) { return !c.status.passed && c.status.fails >= c.rule.fails; });
  return p == probes_.end() ? std::nullopt : std::optional(text_of(*p));
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
