// Daemon: what another image of graced gets.
#include <utility>

#include "daemon/daemon.h"
#include "daemon/daemon_state.h"
#include "linux/proc/process.h"

namespace graced {

Succession Daemon::succession() {
  examination_.artefacts.give_up();  // whoever asks next has them looked at again
  const DaemonState now = state();
  const Invocation& invocation = planner_.invocation();
  return {daemon_state_text(now), carried_of(now), left(), invocation.arguments, invocation.environment};
}

DaemonState Daemon::state() {
  ListenerNumbers listeners;
  ArtefactNumbers artefacts;
  DaemonState state;
  state.planner = planner_.kept(listeners);
  state.outputs = outputs_.kept();
  state.presence = presence_.kept();
  state.before = before_.kept();
  state.words = words_.kept();
  state.launcher = launcher_.kept();
  state.announcer = announcer_.kept();
  state.control = announcer_.control().kept();
  state.core = pump_.core();
  state.workers = workers_.kept();
  state.addresses = addresses_.kept(listeners, artefacts);
  state.ready = ready_.kept();
  state.readers = readers_.kept();
  state.failure = failure_;
  state.reaper = reaper_.kept();
  state.advisor = advisor_.kept();
  state.signals = signals_->kept();
  state.addresses.listeners = listeners.kept();
  state.addresses.artefacts = artefacts.kept();
  state.upgrading = upgrading_.kept();
  name_carried(state, left());
  return state;
}

std::vector<NamedDescriptor> Daemon::left() {
  std::vector<NamedDescriptor> left;
  const auto add = [&](const std::string& name, const std::vector<int>& descriptors) {
    for (const int fd : descriptors) left.push_back(named_descriptor(name, fd));
  };
  if (announcer_.has_manager()) add("to the service manager", {announcer_.manager().fd()});
  add("of the control socket", announcer_.control().descriptors());
  add("to watch sockets", addresses_.descriptors());
  if (const int file = own_children_file(); file >= 0) add("of graced's own children", {file});
  return left;
}

}  // namespace graced
