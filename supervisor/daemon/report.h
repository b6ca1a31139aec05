// What graced tells whoever asks at the control socket how things stand.
#pragma once

#include "core/time.h"
#include "daemon/addresses.h"
#include "daemon/artefact_looks.h"
#include "daemon/candidate_failure.h"
#include "daemon/event_pump.h"
#include "daemon/predecessors.h"
#include "daemon/preflight.h"
#include "daemon/reaper.h"
#include "daemon/upgrading.h"
#include "linux/control/control_report.h"
#include "linux/worker/cgroup.h"
#include "options/options.h"
#include "workers/workers.h"

namespace graced {

struct ReportSources {
  const RunOptions& options;  // as graced was started with
  Instant since;              // when that was
  const EventPump& pump;
  const Workers& workers;
  Addresses& addresses;
  ArtefactLooks& artefacts;
  const Cgroups& cgroups;
  const Preflight& preflight;
  const CandidateFailure& failure;
  const Reaper& reaper;
  const Predecessors& before;
  const Upgrading& upgrading;
};
InstanceReport report_of(const ReportSources& from);

}  // namespace graced
