// The plans of generations, as one image of graced hands them to the next: what was read stays text, and is
// parsed again; what was found on this machine, and what has been decided, stays as it is.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/listen_spec.h"
#include "core/policy.h"
#include "daemon/handoff_capabilities.h"
#include "daemon/plan.h"
#include "daemon/planner.h"
#include "handoff/kept_listeners.h"
#include "linux/worker/artefact.h"
#include "linux/worker/spawn.h"
#include "options/file_record.h"

namespace graced {

struct KeptPlan {
  struct Socket {
    unsigned listener = 0;
    std::string name{};
    std::optional<std::size_t> spec{};
    bool switched = false;
  };
  struct Changed {
    unsigned listener = 0;
    ListenOptions options{};
  };
  FileRecord files{};
  Policy policy{};
  HandoffPlan handoff{};
  std::vector<Socket> sockets{};
  std::vector<Changed> changed{};
  bool name_is_taken = false;
  std::vector<std::string> command{};
  std::vector<std::string> check{};
  std::vector<std::string> environment{};
  std::optional<Launch::Identity> identity{};
  unsigned artefact = 0;
};

// Several generations may run one artefact. Of the image before.
class ArtefactNumbers {
 public:
  unsigned of(const std::shared_ptr<const Artefact>& artefact);
  std::vector<Artefact::Kept> kept() const;

 private:
  std::vector<std::shared_ptr<const Artefact>> artefacts_;
};

// Of the image after.
class TakenArtefacts {
 public:
  explicit TakenArtefacts(std::vector<Artefact::Kept> kept);

  // Throws std::runtime_error: there is no such number.
  const std::shared_ptr<const Artefact>& at(std::size_t number) const;

  bool any_unused() const;

 private:
  std::vector<std::shared_ptr<const Artefact>> artefacts_;
};

KeptPlan kept_plan(const Plan& plan, ListenerNumbers& listeners, ArtefactNumbers& artefacts);

// Throws std::exception: what was read means nothing to this image, or a number is none.
Plan taken_plan(KeptPlan kept, const Invocation& invocation, const TakenListeners& listeners,
                const TakenArtefacts& artefacts);

}  // namespace graced
