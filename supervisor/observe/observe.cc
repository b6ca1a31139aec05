#include "observe/observe.h"

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>

#include "linux/proc/open_sockets.h"
#include "linux/proc/process_usage.h"
#include "linux/sockets/socket_list.h"
#include "observe/network_load.h"

namespace graced {
namespace {

using Answer = ObservedInstance::Answer;

Answer answer_of(const ControlAnswer& a) {
  switch (a.reply.outcome) {
    case ControlOutcome::ok:
      return Answer::told;
    case ControlOutcome::timed_out:
      return Answer::silent;
    case ControlOutcome::gone:
      return a.turned_away ? Answer::silent : Answer::gone;
    case ControlOutcome::denied:
    case ControlOutcome::failed:
      break;
  }
  return Answer::refused;
}

// Numbers of processes in its report mean something to us only where it and we are in one PID namespace.
bool speaks_of_our_processes(const ObservedInstance& i) {
  return i.process && *i.process == i.report.pid;
}

void look_at_processes(ObservedInstance& instance, GenerationLoad& generation) {
  ProcessUsage all;
  for (const WorkerReport& w : instance.report.workers) {
    if (w.generation != generation.generation || w.pid <= 0) continue;
    const auto usage = usage_of_tree(w.pid);
    if (!usage) continue;
    all.processes += usage->processes;
    all.cpu += usage->cpu;
    all.resident += usage->resident;
  }
  if (all.processes == 0) return;
  generation.processes = all.processes;
  generation.memory = all.resident;
  generation.cpu = all.cpu;
}

void look_at_cgroup(const InstanceReport& report, GenerationLoad& generation) {
  const auto used = std::ranges::find(report.generations, generation.generation, &GenerationReport::generation);
  if (used == report.generations.end()) return;
  generation.cpu = used->cpu;
  if (!used->memory) return;
  generation.memory = used->memory;
  generation.memory_is = GenerationLoad::Memory::cgroup;
}

std::optional<std::uint32_t> held_by(const InstanceReport& report, std::uint64_t generation,
                                     const AcceptedSockets& accepted) {
  std::vector<pid_t> workers;
  for (const WorkerReport& w : report.workers)
    if (w.generation == generation && w.pid > 0) workers.push_back(w.pid);
  try {
    std::uint32_t held = 0;
    for (const auto& [inode, where] : sockets_of_trees(workers)) held += accepted.contains(inode) ? 1 : 0;
    return held;
  } catch (const std::system_error&) { return std::nullopt; }
}

// Where one generation lives alone all connections are its. Else whoever has the descriptor.
void look_for_connections(ObservedInstance& instance, const AcceptedSockets& accepted) {
  if (!connections_of(instance)) return;
  if (instance.generations.size() == 1) {
    instance.generations.front().connections = static_cast<std::uint32_t>(accepted.size());
    return;
  }
  if (!speaks_of_our_processes(instance)) return;
  for (GenerationLoad& g : instance.generations)
    g.connections = held_by(instance.report, g.generation, accepted);
}

void look_at_generations(ObservedInstance& instance, const AcceptedSockets& accepted) {
  std::set<std::uint64_t> alive;
  for (const WorkerReport& w : instance.report.workers)
    if (w.pid > 0) alive.insert(w.generation);
  for (const std::uint64_t number : alive) {
    GenerationLoad& generation = instance.generations.emplace_back();
    generation.generation = number;
    if (speaks_of_our_processes(instance)) look_at_processes(instance, generation);
    look_at_cgroup(instance.report, generation);
  }
  look_for_connections(instance, accepted);
}

SupervisorLoad look_at_supervisor(pid_t graced, bool all) {
  SupervisorLoad load;
  if (const auto usage = usage_of_process(graced)) load.cpu = usage->cpu_alone;
  if (all) {
    load.memory = proportional_memory(graced);
    load.descriptors = descriptor_count(graced);
  }
  return load;
}

ObservedInstance observed(const Found& found, ControlAnswer answer) {
  ObservedInstance o{
      .name = found.name, .control = found.control, .answer = answer_of(answer), .process = std::nullopt};
  if (answer.process > 0) o.process = answer.process;
  if (o.answer == Answer::told) {
    o.report = std::move(answer.report);
    if (!o.report.name.empty()) o.name = o.report.name;
  } else {
    o.why = answer.reply.why;
  }
  return o;
}

}  // namespace

std::vector<ObservedInstance> observe(const std::vector<Found>& instances, const Looking& looking) {
  std::vector<std::string> paths;
  for (const Found& f : instances) paths.push_back(f.control);
  std::vector<ControlAnswer> answers =
      ask_all(paths, looking.patience, looking.stragglers, ControlAsk::report, looking.moment);
  std::vector<ObservedInstance> all;
  for (std::size_t i = 0; i < instances.size(); ++i)
    all.push_back(observed(instances[i], std::move(answers[i])));

  const std::vector<AcceptedSockets> accepted = look_at_network(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    look_at_generations(all[i], accepted[i]);
    if (all[i].process) all[i].supervisor = look_at_supervisor(*all[i].process, looking.supervisor);
  }
  return all;
}

std::vector<Found> PresentInstances::look() {
  std::set<FileId> listening;
  try {
    SocketList().each_unix_listener([&](const UnixListenerSeen& s) { listening.insert(s.file); });
  } catch (const std::system_error&) {}
  std::vector<Found> present = control_sockets(places_);
  std::erase_if(present, [&](Found& f) {
    const FileId file = file_id(f.control.c_str());
    f.live = listening.contains(file_in_list(file));
    if (f.live) {
      connected_to_.erase(f.control);
      return false;
    }
    auto& [known, live] = connected_to_[f.control];
    if (known != file) {
      known = file;
      live = is_live_control(f.control);
    }
    f.live = live;
    return !live;
  });
  return present;
}

void PresentInstances::is_gone(const std::string& control) {
  connected_to_[control] = {file_id(control.c_str()), false};
}

}  // namespace graced
