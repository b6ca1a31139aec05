// What looks at a generation, besides graced itself: its check, its probes, and at what it runs.
#pragma once

#include "daemon/artefact_looks.h"
#include "daemon/preflight.h"
#include "daemon/probe_looks.h"

namespace graced {

struct Examination {
  Preflight preflight;
  ProbeLooks looks;
  ArtefactLooks artefacts;
};

}  // namespace graced
