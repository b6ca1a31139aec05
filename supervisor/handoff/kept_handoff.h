// The hand-over of addresses, as one image of graced hands it to the next. Listeners and names are numbers.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "handoff/handoff.h"
#include "linux/adoption/kept_adoption.h"

namespace graced {

struct Handoff::Kept {
  struct Worker {
    WorkerId worker{};
    GenerationId generation{};
    pid_t pid = 0;
    std::optional<Adoption::Kept> adoption{};
    std::vector<int> promised{};
    bool heard = false;  // what it asks is still answered
    std::uint64_t seen_changes = 0;
    Instant changed{};
    std::map<ino_t, unsigned> kept_queues{};
    bool ready = false;
    bool joined = false;
    bool leaves = false;
    bool process_gone = false;
    bool orphan = false;
    std::vector<AdoptedSocket::Kept> taken{};
  };

  bool queues_migrate = false;
  AdoptedNames::Kept names{};
  SteeringGroups::Kept groups{};
  std::map<GenerationId, std::vector<unsigned>> listeners{};
  std::vector<Worker> tracked{};
  std::map<ino_t, int> restored{};
  std::set<ino_t> told_held{};
  std::set<std::string> taken_keys{};
  std::optional<GenerationId> serving{};
  std::optional<GenerationId> standby{};
  struct Sharing {
    GenerationId candidate{};
    unsigned per_mille = 0;
  };
  std::optional<Sharing> sharing{};
  std::pair<GenerationId, unsigned> batches{};
  std::optional<GenerationId> beside{};
  Retirements::Kept retirements{};
  Datagrams::Kept datagrams{};
};

}  // namespace graced
