// All that one image of graced hands to the next, as plain values: what each object of the daemon has kept.
// packaging/docs/upgrade-in-place.md says what that is, object by object, and what is made anew instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/supervisor.h"
#include "daemon/advisor.h"
#include "daemon/announcer.h"
#include "daemon/candidate_failure.h"
#include "daemon/event_readers.h"
#include "daemon/kept_addresses.h"
#include "daemon/launcher.h"
#include "daemon/planner.h"
#include "daemon/predecessors.h"
#include "daemon/presence.h"
#include "daemon/process_outputs.h"
#include "daemon/reaper.h"
#include "daemon/signal_inbox.h"
#include "daemon/upgrading.h"
#include "daemon/worker_words.h"
#include "handoff/ready_watch.h"
#include "linux/control/control_server.h"
#include "linux/upgrade/named_descriptor.h"
#include "state/state_error.h"
#include "workers/worker_process.h"

namespace graced {

// Each member is a part of the state. Listeners and artefacts have numbers, by which others know them: see
// `addresses`.
struct DaemonState {
  Planner::Kept planner{};
  ProcessOutputs::Kept outputs{};
  Presence::Kept presence{};
  Predecessors::Kept before{};
  WorkerWords::Kept words{};
  Launcher::Kept launcher{};
  Announcer::Kept announcer{};
  ControlServer::Kept control{};
  Upgrading::Kept upgrading{};
  Supervisor core{Policy{}};
  std::vector<WorkerProcess::Kept> workers{};
  Addresses::Kept addresses{};
  ReadyWatch::Kept ready{};
  EventReaders::Kept readers{};
  CandidateFailure failure{};
  Reaper::Kept reaper{};
  Advisor::Kept advisor{};
  SignalInbox::Kept signals{};
  std::vector<NamedDescriptor>
      carried{};  // all that the others carry, and what whoever started graced has left
};

// One line.
std::string daemon_state_text(const DaemonState& state);

// Whatever the text is: a state, in which a part that is not there is as if it had just been made, or a
// StateError with one line. What is carried, and what owns it, agree.
DaemonState read_daemon_state(std::string_view text);

// Fills `carried`, as this process has these descriptors now. left: what stays behind. Throws
// std::system_error: one is not open.
void name_carried(DaemonState& state, const std::vector<NamedDescriptor>& left);

// See Succession.
const std::vector<NamedDescriptor>& carried_of(const DaemonState& state);

}  // namespace graced
