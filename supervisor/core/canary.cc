#include "core/canary.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/bad_value.h"
#include "core/number.h"

namespace graced {

namespace {

constexpr unsigned all = 1000;  // per mille

// "5%", "0.5%".
unsigned parse_share(std::string_view text) {
  const auto wrong = [&] { return bad("'{}' is no share, as in 5% or 0.5%", text); };
  if (!text.ends_with('%')) throw wrong();
  std::string_view whole = text.substr(0, text.size() - 1);
  std::string_view tenths = "0";
  if (const auto point = whole.find('.'); point != std::string_view::npos) {
    tenths = whole.substr(point + 1);
    whole = whole.substr(0, point);
  }
  const auto percent = parse_number<unsigned>(whole, 0, 1'000'000);
  const auto rest = parse_number<unsigned>(tenths, 0, 9);
  if (!percent || !rest || tenths.size() != 1) throw wrong();
  const unsigned per_mille = *percent * 10 + *rest;
  if (per_mille == 0) throw bad("a share of {} is none: the least is 0.1%", text);
  if (per_mille >= all) throw bad("a share of {} is all of them, which it gets after the last step", text);
  return per_mille;
}

Duration parse_step_time(std::string_view text, std::string_view step) {
  const auto time = parse_duration(text);
  if (!time || *time == 0s || *time == infinity)
    throw bad("'{}': {} is no time for a step, as in 30s or 2min", step, text.empty() ? "nothing" : text);
  return *time;
}

}  // namespace

std::string share_text(unsigned per_mille) {
  return per_mille % 10 == 0 ? fmt::format("{}%", per_mille / 10)
                             : fmt::format("{}.{}%", per_mille / 10, per_mille % 10);
}

std::vector<CanaryStep> parse_canary(std::string_view text) {
  std::vector<CanaryStep> steps;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view step = text.substr(at, end - at);
    const auto slash = step.find('/');
    if (slash == std::string_view::npos)
      throw bad("'{}' is no step: SHARE/TIME, as in 5%/30s or 5%/30s,25%/2min", step);
    const unsigned share = parse_share(step.substr(0, slash));
    if (!steps.empty() && share <= steps.back().per_mille)
      throw bad("shares must rise, and {} follows {}", share_text(share), share_text(steps.back().per_mille));
    steps.push_back({share, parse_step_time(step.substr(slash + 1), step)});
    at = end + 1;
  }
  return steps;
}

std::string canary_text(const std::vector<CanaryStep>& steps) {
  std::string text;
  for (const CanaryStep& s : steps)
    text += fmt::format("{}{}/{}", text.empty() ? "" : ",", share_text(s.per_mille), to_text(s.time));
  return text;
}

Canary::Canary(std::vector<CanaryStep> steps, bool gated, Instant now)
    : steps_(std::move(steps)), gated_(gated), until_(after(now, steps_.front().time)) {}

Canary::Next Canary::look(Instant now) {
  if (until_ > now) return Next::nothing;
  if (!gated_) return go_on(now);
  until_ = no_deadline;
  waits_for_gate_ = true;
  return Next::gate;
}

Canary::Next Canary::gate_passed(Instant now) {
  return std::exchange(waits_for_gate_, false) ? go_on(now) : Next::nothing;
}

Canary::Next Canary::go_on(Instant now) {
  if (step_ + 1 == steps_.size()) {
    until_ = no_deadline;
    return Next::promotion;
  }
  ++step_;
  until_ = after(now, steps_[step_].time);
  return Next::share;
}

CanaryStatus Canary::status() const {
  return {per_mille(), step(), static_cast<unsigned>(steps_.size()), until_};
}

}  // namespace graced
