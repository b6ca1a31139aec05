// What is kept to be shown.
#pragma once

#include <tuple>

#include "core/exit.h"
#include "core/status.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<Exit> {
  static constexpr std::tuple all{
      Named{"how", &Exit::how},
      Named{"status", &Exit::status},
      Named{"signal", &Exit::signal},
  };
};

template <>
struct Members<ExitStatus> {
  static constexpr std::tuple all{
      Named{"worker", &ExitStatus::worker}, Named{"generation", &ExitStatus::generation},
      Named{"slot", &ExitStatus::slot},     Named{"exit", &ExitStatus::exit},
      Named{"gone", &ExitStatus::gone},     Named{"at", &ExitStatus::at},
  };
};

template <>
struct Members<WorkerStatus> {
  static constexpr std::tuple all{
      Named{"worker", &WorkerStatus::worker},
      Named{"generation", &WorkerStatus::generation},
      Named{"slot", &WorkerStatus::slot},
      Named{"state", &WorkerStatus::state},
      Named{"since", &WorkerStatus::since},
      Named{"deadline", &WorkerStatus::deadline},
      Named{"last-call", &WorkerStatus::last_call},
      Named{"killed-at", &WorkerStatus::killed_at},
      Named{"drain-idle", &WorkerStatus::drain_idle},
      Named{"any-pause", &WorkerStatus::any_pause},
      Named{"joined", &WorkerStatus::joined},
      Named{"thrown-away", &WorkerStatus::thrown_away},
  };
};

template <>
struct Members<RestartStatus> {
  static constexpr std::tuple all{
      Named{"of", &RestartStatus::of},
      Named{"generation", &RestartStatus::generation},
      Named{"slot", &RestartStatus::slot},
      Named{"at", &RestartStatus::at},
  };
};

template <>
struct Members<ReloadStatus> {
  static constexpr std::tuple all{
      Named{"generation", &ReloadStatus::generation},
      Named{"ok", &ReloadStatus::ok},
      Named{"why", &ReloadStatus::why},
      Named{"at", &ReloadStatus::at},
      Named{"took", &ReloadStatus::took},
  };
};

template <>
struct Members<ReplacementStatus> {
  static constexpr std::tuple all{
      Named{"replaced", &ReplacementStatus::replaced},
      Named{"by", &ReplacementStatus::by},
      Named{"ok", &ReplacementStatus::ok},
      Named{"why", &ReplacementStatus::why},
      Named{"at", &ReplacementStatus::at},
  };
};

template <>
struct Members<SurvivorsStatus> {
  static constexpr std::tuple all{
      Named{"state", &SurvivorsStatus::state},
      Named{"since", &SurvivorsStatus::since},
      Named{"deadline", &SurvivorsStatus::deadline},
  };
};

template <>
struct Members<ProbeStatus> {
  static constexpr std::tuple all{
      Named{"what", &ProbeStatus::what},   Named{"passes", &ProbeStatus::passes},
      Named{"fails", &ProbeStatus::fails}, Named{"passed", &ProbeStatus::passed},
      Named{"saw", &ProbeStatus::saw},
  };
};

}  // namespace graced
