#include "daemon/probe_looks.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/printable.h"
#include "daemon/probe_places.h"
#include "linux/base/pipe_text.h"
#include "linux/proc/send_signal.h"
#include "linux/steering/bpf_program.h"
#include "linux/worker/output_pipe.h"
#include "linux/worker/spawn.h"
#include "options/shell_words.h"

namespace graced {

namespace {

constexpr std::size_t most_remembered = 4096;  // bytes of what a look says

// graced's own program ends by itself in its time; if that is over and some more, as on a crowded machine, it
// hangs.
constexpr Duration beyond_timeout = 2s;

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  const auto begin = text.rfind('\n');
  return printable(begin == std::string_view::npos ? text : text.substr(begin + 1));
}

bool is_command(const ProbeSpec& spec) {
  return spec.kind == ProbeSpec::Kind::command;
}

}  // namespace

std::optional<std::string> ProbeLooks::begin(GenerationId candidate, unsigned probe, const Plan& plan) {
  const ProbeSpec& spec = plan.options.probes.at(probe);
  if (spec.port != 0) {
    if (auto why = o_.handoff.keeps_out_probe(candidate, spec.port); !why.empty()) return why;
  }
  std::string unix_path;
  if (!spec.unix_path.empty()) {
    const auto paths = o_.handoff.unix_paths(candidate);
    const auto own = paths.find(spec.unix_path);
    if (own == paths.end()) return fmt::format("generation {} does not listen there", candidate.value);
    unix_path = own->second;
  }
  try {
    looks_.push_back(
        {.candidate = candidate, .probe = probe, .timeout = spec.timeout, .ports = ReservedPorts(probe_ports)});
  } catch (const std::exception& e) { return e.what(); }
  std::optional<std::string> why;
  try {
    why = start(looks_.back(), plan, unix_path);
  } catch (const std::exception& e) { why = e.what(); }
  if (why) end(std::prev(looks_.end()));
  return why;
}

std::optional<std::string> ProbeLooks::start(Look& look, const Plan& plan, const std::string& unix_path) {
  const bool command = is_command(plan.options.probes.at(look.probe));
  direct(look.candidate);
  OutputPipe pipe = make_output_pipe(plan.identity ? std::optional(plan.identity->uid) : std::nullopt);
  const Launch launch = launch_of(look, plan, unix_path, pipe.worker_end.get());
  if (command) look.ports.let_go();  // it may not know that it has to share them
  look.output = std::move(pipe.read_end);
  look.readable = o_.loop.on_fd(look.output.get(), EPOLLIN, Priority::in_turn, [&look] { hear(look); });
  auto result = spawn(launch);
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) return failed->why;
  look.pid = std::get<Spawned>(result).pid;
  look.deadline = o_.loop.timer([this, pid = look.pid] { too_late(pid); });
  look.deadline.fire_at(after(monotonic_now(), look.timeout + (command ? 0s : beyond_timeout)));
  return std::nullopt;
}

Launch ProbeLooks::launch_of(const Look& look, const Plan& plan, const std::string& unix_path, int says) {
  const ProbeSpec& spec = plan.options.probes.at(look.probe);
  const std::string ports = fmt::format("{}-{}", look.ports.first(), look.ports.first() + probe_ports - 1);
  if (!is_command(spec)) {
    std::vector<std::string> words{probe_program(), spec.text, ports};
    if (!unix_path.empty()) words.push_back(unix_path);
    return o_.launcher.for_own_look(plan, words, says);
  }
  std::vector<std::string> pids;
  for (const WorkerProcess& w : o_.workers) {
    if (w.generation == look.candidate) pids.push_back(fmt::format("{}", w.pid));
  }
  std::vector<std::string> sockets;
  for (const auto& [path, now] : o_.handoff.unix_paths(look.candidate)) sockets.push_back(now);
  Launch launch = o_.launcher.for_look(plan, look.candidate, split_shell_words(spec.command), says);
  launch.environment.push_back(fmt::format("GRACED_WORKER_PIDS={}", fmt::join(pids, " ")));
  launch.environment.push_back(fmt::format("GRACED_PROBE_LOCAL_PORT={}", look.ports.first()));
  launch.environment.push_back(fmt::format("GRACED_PROBE_LOCAL_PORTS={}", ports));
  if (!sockets.empty())
    launch.environment.push_back(fmt::format("GRACED_PROBE_SOCKETS={}", fmt::join(sockets, ":")));
  return launch;
}

// Its end is the process's, whoever else has the pipe.
void ProbeLooks::hear(Look& look) {
  bool over = false;
  look.said += read_available(look.output.get(), over);
  if (look.said.size() > most_remembered) look.said.erase(0, look.said.size() - most_remembered);
  if (over) look.readable = Source();
}

bool ProbeLooks::is(pid_t pid) const {
  return std::ranges::find(looks_, pid, &Look::pid) != looks_.end();
}

void ProbeLooks::ended(const ChildExit& child) {
  const auto look = std::ranges::find(looks_, child.pid, &Look::pid);
  kill_group(child.pid);
  if (look->readable) hear(*look);
  reap(child.pid);
  const Exit exit = exit_of(child);
  const GenerationId candidate = look->candidate;
  const unsigned probe = look->probe;
  std::optional<std::string> saw;
  if (exit.status != 0) {
    saw = last_line(look->said);
    if (saw->empty()) saw = exit.how;
  }
  end(look);
  seen_(candidate, probe, saw);
}

void ProbeLooks::too_late(pid_t pid) {
  const auto look = std::ranges::find(looks_, pid, &Look::pid);
  if (look == looks_.end()) return;
  const GenerationId candidate = look->candidate;
  const unsigned probe = look->probe;
  const std::string saw = fmt::format("no answer in {}", to_text(look->timeout));
  kill_all_below(pid);
  end(look);
  seen_(candidate, probe, saw);
}

void ProbeLooks::give_up(GenerationId candidate) {
  for (auto look = looks_.begin(); look != looks_.end();) {
    const auto at = look++;
    if (at->candidate != candidate) continue;
    kill_all_below(at->pid);
    end(at);
  }
}

void ProbeLooks::give_up_all() {
  while (!looks_.empty()) give_up(looks_.front().candidate);
}

void ProbeLooks::end(std::list<Look>::iterator look) {
  const GenerationId candidate = look->candidate;
  looks_.erase(look);
  direct(candidate);
}

void ProbeLooks::direct(GenerationId candidate) {
  std::vector<std::uint16_t> first_ports;
  for (const Look& look : looks_) {
    if (look.candidate == candidate) first_ports.push_back(look.ports.first());
  }
  o_.handoff.probe(candidate, first_ports);
}

}  // namespace graced
