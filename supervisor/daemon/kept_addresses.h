// What generations listen on, as one image of graced hands it to the next.
#pragma once

#include <map>
#include <vector>

#include "core/id.h"
#include "daemon/addresses.h"
#include "daemon/kept_plans.h"
#include "handoff/kept_handoff.h"
#include "linux/sockets/listener.h"
#include "linux/worker/artefact.h"

namespace graced {

// Once a generation serves: what an earlier graced had left has been taken, or is closed. Nobody settles.
struct Addresses::Kept {
  std::vector<Listener::Kept> listeners{};  // by number, of all that know one
  std::vector<Artefact::Kept> artefacts{};  // likewise
  std::map<GenerationId, KeptPlan> plans{};
  bool starts_at_once = false;
  FdStore::Kept store{};
  SocketSets::Kept sets{};
  Handoff::Kept handoff{};
  ListenerWatch::Kept watch{};
};

// What several of the daemon's objects have in common, made anew.
struct TakenParts {
  const Invocation& invocation;
  const TakenListeners& listeners;
  const TakenArtefacts& artefacts;
};

}  // namespace graced
