// The words for states, the same in status, logs and signals.
#include "core/status.h"

namespace graced {

std::string_view to_text(Phase phase) {
  switch (phase) {
    case Phase::starting:
      return "starting";
    case Phase::serving:
      return "serving";
    case Phase::degraded:
      return "degraded";
    case Phase::down:
      return "down";
    case Phase::reloading:
      return "reloading";
    case Phase::stopping:
      return "stopping";
    case Phase::finished:
      return "finished";
  }
  return "";
}

std::string_view to_text(WorkerState state) {
  switch (state) {
    case WorkerState::starting:
      return "starting";
    case WorkerState::ready:
      return "ready";
    case WorkerState::standby:
      return "standby";
    case WorkerState::settling:
      return "settling";
    case WorkerState::retiring:
      return "retiring";
    case WorkerState::draining:
      return "draining";
    case WorkerState::killed:
      return "killed";
  }
  return "";
}

Phase course_of(const Status& s) {
  switch (s.phase) {
    case Phase::degraded:
    case Phase::down:
      return s.candidate && !s.replaces ? Phase::reloading : Phase::serving;
    case Phase::starting:
    case Phase::serving:
    case Phase::reloading:
    case Phase::stopping:
    case Phase::finished:
      return s.phase;
  }
  return s.phase;
}

}  // namespace graced
