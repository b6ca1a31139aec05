// A policy, and what it is made of.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <tuple>

#include "core/policy.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<ProbeRule> {
  static constexpr std::tuple all{
      Named{"what", &ProbeRule::what},         Named{"start-delay", &ProbeRule::start_delay},
      Named{"interval", &ProbeRule::interval}, Named{"passes", &ProbeRule::passes},
      Named{"fails", &ProbeRule::fails},       Named{"while-serving", &ProbeRule::while_serving},
  };
  static std::optional<std::string> flaw(const ProbeRule& r) {
    if (r.passes == 0 || r.fails == 0) return "a probe passes, and fails, with one look at least";
    return std::nullopt;
  }
};

template <>
struct Members<CanaryStep> {
  static constexpr std::tuple all{
      Named{"per-mille", &CanaryStep::per_mille},
      Named{"time", &CanaryStep::time},
  };
  static std::optional<std::string> flaw(const CanaryStep& s) {
    if (s.per_mille < 1 || s.per_mille > 999)
      return fmt::format("{} of 1000 connections are no share", s.per_mille);
    if (s.time == 0s || s.time == infinity) return "a step takes some time, and ends";
    return std::nullopt;
  }
};

template <>
struct Members<MaxSurge> {
  static constexpr std::tuple all{
      Named{"amount", &MaxSurge::amount},
      Named{"percent", &MaxSurge::percent},
  };
};

template <>
struct Members<Policy> {
  static constexpr unsigned most_workers = 1024;  // as many as may be asked for

  static constexpr std::tuple all{
      Named{"workers", &Policy::workers},
      Named{"ready", &Policy::ready},
      Named{"ready-after", &Policy::ready_after},
      Named{"ready-timeout", &Policy::ready_timeout},
      Named{"probes", &Policy::probes},
      Named{"canary", &Policy::canary},
      Named{"gated", &Policy::gated},
      Named{"max-surge", &Policy::max_surge},
      Named{"drain", &Policy::drain},
      Named{"drain-timeout", &Policy::drain_timeout},
      Named{"drain-grace", &Policy::drain_grace},
      Named{"last-call", &Policy::last_call},
      Named{"drain-idle", &Policy::drain_idle},
      Named{"settle", &Policy::settle},
      Named{"probation", &Policy::probation},
      Named{"stop-timeout", &Policy::stop_timeout},
      Named{"stop-idle", &Policy::stop_idle},
      Named{"max-draining", &Policy::max_draining},
      Named{"max-draining-grace", &Policy::max_draining_grace},
      Named{"restart", &Policy::restart},
      Named{"restart-delay", &Policy::restart_delay},
      Named{"restart-delay-limit", &Policy::restart_delay_limit},
      Named{"restart-delay-reset", &Policy::restart_delay_reset},
      Named{"start-limit", &Policy::start_limit},
      Named{"start-limit-window", &Policy::start_limit_window},
  };
  static std::optional<std::string> flaw(const Policy& p) {
    if (p.workers < 1 || p.workers > most_workers)
      return fmt::format("a generation has 1 to {} workers, not {}", most_workers, p.workers);
    if (p.max_draining < 1) return "one generation at least may drain";
    return std::nullopt;
  }
};

}  // namespace graced
