// How a candidate comes to serve: probes, canary and batches, as far as they have got; and the probes that look
// at who serves.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include "core/batches.h"
#include "core/canary.h"
#include "core/liveness.h"
#include "core/probing.h"
#include "state/members.h"
#include "state/policy_members.h"
#include "state/status_members.h"

namespace graced {

template <>
struct Members<Probing::Course> {
  static constexpr std::tuple all{
      Named{"rule", &Probing::Course::rule},     Named{"next", &Probing::Course::next},
      Named{"looks", &Probing::Course::looks},   Named{"endless", &Probing::Course::endless},
      Named{"status", &Probing::Course::status},
  };
};

template <>
struct Members<Probing> {
  static constexpr std::tuple all{
      Named{"patience", &Probing::patience_},
      Named{"deadline", &Probing::deadline_},
      Named{"probes", &Probing::probes_},
  };
  static std::optional<std::string> flaw(const Probing& p) {
    if (p.deadline_ != no_deadline && p.all_passed()) return "all probes have passed, and are waited for";
    return std::nullopt;
  }
};

template <>
struct Members<Canary> {
  static constexpr std::tuple all{
      Named{"steps", &Canary::steps_},
      Named{"gated", &Canary::gated_},
      Named{"waits-for-gate", &Canary::waits_for_gate_},
      Named{"step", &Canary::step_},
      Named{"until", &Canary::until_},
  };
  static std::optional<std::string> flaw(const Canary& c) {
    if (c.step_ >= c.steps_.size())
      return fmt::format("it has {} steps, and is at another one", c.steps_.size());
    return std::nullopt;
  }
};

template <>
struct Members<Batches> {
  static constexpr std::tuple all{
      Named{"workers", &Batches::workers_},
      Named{"size", &Batches::size_},
      Named{"begun", &Batches::begun_},
      Named{"joined", &Batches::joined_},
  };
  static std::optional<std::string> flaw(const Batches& b) {
    if (b.workers_ < 1 || b.workers_ > Members<Policy>::most_workers || b.size_ < 1 || b.size_ > b.workers_)
      return fmt::format("{} workers do not come in batches of {}", b.workers_, b.size_);
    if (b.begun_ > b.count() || b.joined_ > b.begun_)
      return fmt::format("of {} batches {} have begun, and {} serve", b.count(), b.begun_, b.joined_);
    return std::nullopt;
  }
};

template <>
struct Members<Liveness> {
  static constexpr std::tuple all{
      Named{"last-replacement", &Liveness::last_replacement},
      Named{"probing", &Liveness::probing_},
      Named{"since", &Liveness::since_},
      Named{"delay", &Liveness::delay_},
      Named{"next-attempt", &Liveness::next_attempt_},
      Named{"attempts", &Liveness::attempts_},
  };
  static std::optional<std::string> flaw(const Liveness& l) {
    if (l.probing_ && l.probing_->deadline() != no_deadline) return "there is no end to looking at who serves";
    return std::nullopt;
  }
};

}  // namespace graced
