// Each member is a part of its own in the text, so that what is wrong is told with its name in front.
#include "daemon/daemon_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "core/version.h"
#include "daemon/daemon_members.h"
#include "daemon/event_reader_members.h"
#include "daemon/plan_members.h"
#include "daemon/takeover_members.h"
#include "daemon/upgrading_members.h"
#include "kept/control_members.h"
#include "kept/descriptor_members.h"
#include "kept/handoff_members.h"
#include "kept/worker_members.h"
#include "state/event_members.h"
#include "state/output_members.h"
#include "state/state_reader.h"
#include "state/state_writer.h"
#include "state/status_members.h"
#include "state/supervisor_members.h"

namespace graced {

template <>
struct Members<Predecessors::Kept> {
  using Kept = Predecessors::Kept;
  static constexpr std::tuple all{Named{"survivors", &Kept::survivors}, Named{"takeover", &Kept::takeover}};
};

template <>
struct Members<DaemonState> {
  static constexpr std::tuple all{
      Named{"planner", &DaemonState::planner},     Named{"outputs", &DaemonState::outputs},
      Named{"presence", &DaemonState::presence},   Named{"before", &DaemonState::before},
      Named{"words", &DaemonState::words},         Named{"launcher", &DaemonState::launcher},
      Named{"announcer", &DaemonState::announcer}, Named{"control", &DaemonState::control},
      Named{"upgrading", &DaemonState::upgrading}, Named{"core", &DaemonState::core},
      Named{"workers", &DaemonState::workers},     Named{"addresses", &DaemonState::addresses},
      Named{"ready", &DaemonState::ready},         Named{"readers", &DaemonState::readers},
      Named{"failure", &DaemonState::failure},     Named{"reaper", &DaemonState::reaper},
      Named{"advisor", &DaemonState::advisor},     Named{"signals", &DaemonState::signals},
      Named{"carried", &DaemonState::carried},
  };
};

namespace {

StateWriter written(const DaemonState& state) {
  StateWriter writer(own_version());
  for_each_member<DaemonState>([&](const auto& part) { writer.add(part.name, state.*part.at); });
  return writer;
}

// Without these there is no instance. Any other may be that of a later version, and is as if it had just been
// made.
bool is_required(std::string_view part) {
  constexpr std::array<std::string_view, 4> required{"planner", "presence", "control", "core"};
  return std::ranges::find(required, part) != required.end();
}

// One that is handed over for nobody would be open for ever, and one that somebody means to have, and that is
// not handed over, is another one by now, or none.
void require_agreement(const DaemonState& state) {
  const StateWriter again = written(state);
  std::map<int, std::string_view> owners;
  for (const auto& [name, fd] : again.carried()) {
    if (const auto [first, is_first] = owners.emplace(fd, name); !is_first)
      throw StateError{fmt::format("{}: descriptor {} is that of {} as well", name, fd, first->second)};
  }
  std::map<int, const NamedDescriptor*> handed;
  for (const NamedDescriptor& d : state.carried) {
    if (!handed.emplace(d.fd, &d).second)
      throw StateError{fmt::format("carried: descriptor {} is named twice", d.fd)};
    if (!d.of_starter && !owners.contains(d.fd))
      throw StateError{fmt::format("descriptor {} ({}) is handed over, and this version has no use for it",
                                   d.fd, state_text_shown(d.name))};
  }
  const auto require_handed = [&](const StateDescriptor& d) {
    const auto found = handed.find(d.fd);
    if (found == handed.end() || found->second->of_starter)
      throw StateError{fmt::format("{}: descriptor {} is not among those that are handed over", d.name, d.fd)};
  };
  std::ranges::for_each(again.carried(), require_handed);
  std::ranges::for_each(again.borrowed(), require_handed);
}

}  // namespace

std::string daemon_state_text(const DaemonState& state) {
  return written(state).text();
}

DaemonState read_daemon_state(std::string_view text) {
  const StateReader reader(text);
  DaemonState state;
  for_each_member<DaemonState>([&](const auto& part) {
    if (reader.has(part.name) || is_required(part.name)) reader.read(part.name, state.*part.at);
  });
  require_agreement(state);
  return state;
}

void name_carried(DaemonState& state, const std::vector<NamedDescriptor>& left) {
  state.carried.clear();
  const StateWriter writer = written(state);
  for (const auto& [name, fd] : writer.carried()) state.carried.push_back(named_descriptor(name, fd));
  for (NamedDescriptor& d : starter_descriptors(state.carried, left)) state.carried.push_back(std::move(d));
}

const std::vector<NamedDescriptor>& carried_of(const DaemonState& state) {
  return state.carried;
}

}  // namespace graced
