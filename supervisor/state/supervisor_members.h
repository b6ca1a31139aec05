// The supervisor whole: workers, the rollout in progress, who stands by, what is to be started again.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>

#include "core/supervisor.h"
#include "core/worker.h"
#include "state/members.h"
#include "state/policy_members.h"
#include "state/rollout_members.h"
#include "state/status_members.h"

namespace graced {

template <>
struct Members<Worker> {
  static constexpr std::tuple all{
      Named{"id", &Worker::id},
      Named{"generation", &Worker::generation},
      Named{"slot", &Worker::slot},
      Named{"state", &Worker::state},
      Named{"since", &Worker::since},
      Named{"deadline", &Worker::deadline},
      Named{"said-ready", &Worker::said_ready},
      Named{"has-been-ready", &Worker::has_been_ready},
      Named{"process-gone", &Worker::process_gone},
      Named{"joined", &Worker::joined},
      Named{"thrown-away", &Worker::thrown_away},
      Named{"grace", &Worker::grace},
      Named{"last-call", &Worker::last_call},
      Named{"drain-idle", &Worker::drain_idle},
      Named{"closes-first", &Worker::closes_first},
  };
  static std::optional<std::string> flaw(const Worker& w);
};

template <>
struct Members<Supervisor::Respawn> {
  using Respawn = Supervisor::Respawn;
  static constexpr std::tuple all{
      Named{"slot", &Respawn::slot},
      Named{"at", &Respawn::at},
      Named{"of", &Respawn::of},
      Named{"kept-for", &Respawn::kept_for},
  };
};

template <>
struct Members<Supervisor::Replacing> {
  using Replacing = Supervisor::Replacing;
  static constexpr std::tuple all{
      Named{"generation", &Replacing::generation},
      Named{"why", &Replacing::why},
  };
};

template <>
struct Members<Supervisor::Rollout> {
  using Rollout = Supervisor::Rollout;
  static constexpr std::tuple all{
      Named{"generation", &Rollout::generation}, Named{"askers", &Rollout::askers},
      Named{"began", &Rollout::began},           Named{"preparation-deadline", &Rollout::preparation_deadline},
      Named{"policy", &Rollout::policy},         Named{"probing", &Rollout::probing},
      Named{"canary", &Rollout::canary},         Named{"batches", &Rollout::batches},
      Named{"given-up", &Rollout::given_up},     Named{"replaces", &Rollout::replaces},
  };
  static std::optional<std::string> flaw(const Rollout& r) {
    if (!r.policy && (r.probing || r.canary || r.batches)) return "it is tried, and was not prepared";
    return std::nullopt;
  }
};

template <>
struct Members<Supervisor::Previous> {
  using Previous = Supervisor::Previous;
  static constexpr std::tuple all{
      Named{"generation", &Previous::generation},
      Named{"policy", &Previous::policy},
      Named{"in-batches", &Previous::in_batches},
  };
};

template <>
struct Members<Supervisor::Probation> {
  using Probation = Supervisor::Probation;
  static constexpr std::tuple all{
      Named{"standby", &Probation::standby},
      Named{"policy", &Probation::policy},
      Named{"until", &Probation::until},
      Named{"askers", &Probation::askers},
  };
};

template <>
struct Members<Supervisor::QueuedReload> {
  using QueuedReload = Supervisor::QueuedReload;
  static constexpr std::tuple all{
      Named{"askers", &QueuedReload::askers},
      Named{"first-asked", &QueuedReload::first_asked},
      Named{"not-before", &QueuedReload::not_before},
  };
  static std::optional<std::string> flaw(const QueuedReload& q) {
    if (after(q.first_asked, 10 * burst_quiet) == no_deadline) return "it was asked for at no time";
    return std::nullopt;
  }
};

template <>
struct Members<Supervisor::Restarts> {
  using Restarts = Supervisor::Restarts;
  static constexpr std::tuple all{
      Named{"due", &Restarts::due},
      Named{"missing", &Restarts::missing},
      Named{"most", &Restarts::most},
      Named{"delays", &Restarts::delays},
      Named{"unexpected-exits", &Restarts::unexpected_exits},
      Named{"last-exit", &Restarts::last_exit},
  };
};

template <>
struct Members<Supervisor::Counts> {
  using Counts = Supervisor::Counts;
  static constexpr std::tuple all{
      Named{"last-generation", &Counts::last_generation},
      Named{"last-worker", &Counts::last_worker},
      Named{"reloads", &Counts::reloads},
      Named{"failed-reloads", &Counts::failed_reloads},
      Named{"rollbacks", &Counts::rollbacks},
      Named{"restarts", &Counts::restarts},
  };
  // Whoever comes next has a number of his own.
  static std::optional<std::string> flaw(const Counts& c) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max() / 2;
    if (c.last_generation > most || c.last_worker > most) return "no numbers are left";
    return std::nullopt;
  }
};

template <>
struct Members<Supervisor::Stopping> {
  using Stopping = Supervisor::Stopping;
  static constexpr std::tuple all{
      Named{"exit-status", &Stopping::exit_status},
      Named{"why", &Stopping::why},
      Named{"failed", &Stopping::failed},
      Named{"askers", &Stopping::askers},
  };
};

template <>
struct Members<Supervisor::Taken> {
  using Taken = Supervisor::Taken;
  static constexpr std::tuple all{
      Named{"worker", &Taken::worker},
      Named{"ended-elsewhere", &Taken::ended_elsewhere},
      Named{"late", &Taken::late},
  };
};

template <>
struct Members<Supervisor> {
  static constexpr std::tuple all{
      Named{"policy", &Supervisor::policy_},
      Named{"workers", &Supervisor::workers_},
      Named{"serving", &Supervisor::serving_},
      Named{"serving-says-ready", &Supervisor::serving_says_ready_},
      Named{"previous", &Supervisor::previous_},
      Named{"probation", &Supervisor::probation_},
      Named{"rollout", &Supervisor::rollout_},
      Named{"queued", &Supervisor::queued_},
      Named{"stopping", &Supervisor::stopping_},
      Named{"survivors", &Supervisor::survivors_},
      Named{"taken", &Supervisor::taken_},
      Named{"finished", &Supervisor::finished_},
      Named{"wait-until-settled", &Supervisor::wait_until_settled_},
      Named{"restarts", &Supervisor::restarts_},
      Named{"liveness", &Supervisor::liveness_},
      Named{"counts", &Supervisor::counts_},
      Named{"last-reload", &Supervisor::last_reload_},
      NotWritten{&Supervisor::actions_},    // of the event being handled,
      NotWritten{&Supervisor::to_settle_},  // likewise
  };
  // What the core takes for granted, and only something else than a graced can have written otherwise.
  static std::optional<std::string> flaw(const Supervisor& s);
};

}  // namespace graced
