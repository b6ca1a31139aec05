#include "daemon/launcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "linux/seccomp/adoption_filter.h"
#include "linux/self/standard_descriptors.h"
#include "options/environment.h"

namespace graced {

namespace {

// A worker in any language reads a bare number.
std::string in_seconds(Duration d) {
  return d >= infinity ? "infinity" : fmt::format("{}", std::chrono::duration<double>(d).count());
}

Launch without_sockets(Launch launch) {
  launch.pass_fds.clear();
  launch.pass_names.clear();
  return launch;
}

}  // namespace

Launcher::Launcher(Names names) : names_(std::move(names)), dev_null_(open_dev_null()) {}

Launcher::Launcher(Names names, Kept kept)
    : names_(std::move(names)), dev_null_(kept.dev_null), cgroups_(std::move(kept.cgroups)) {}

Launch Launcher::named(const Plan& plan, const std::vector<std::string>& command,
                       const OutputPipes& pipes) const {
  Launch launch = launch_of(plan, command);
  launch.environment.push_back("GRACED_NAME=" + names_.instance);
  launch.environment.push_back("GRACED_CONTROL=" + names_.control);
  launch.stdin_fd = dev_null_.get();
  launch.stdout_fd = pipes.out ? pipes.out->worker_end.get() : -1;
  launch.stderr_fd = pipes.err ? pipes.err->worker_end.get() : -1;
  launch.kept_capabilities = plan.options.kept_capabilities;
  return launch;
}

Launch Launcher::launch(const Plan& plan, GenerationId generation, const std::vector<std::string>& command,
                        const OutputPipes& pipes) {
  Launch launch = named(plan, command, pipes);
  launch.environment.push_back("NOTIFY_SOCKET=" + names_.notify);
  launch.environment.push_back(fmt::format("GRACED_GENERATION={}", generation.value));
  const Policy& policy = plan.options.policy;
  launch.environment.push_back("GRACED_DRAIN_TIMEOUT=" + in_seconds(policy.drain_timeout));
  launch.environment.push_back("GRACED_STOP_TIMEOUT=" + in_seconds(policy.stop_timeout));
  if (policy.drain == DrainRule::idle)
    launch.environment.push_back("GRACED_DRAIN_GRACE=" + in_seconds(policy.drain_grace));
  launch.cgroup_fd = cgroups_.enter(generation.value);
  return launch;
}

Launch Launcher::for_check(const Plan& plan, GenerationId generation, const OutputPipes& pipes) {
  return launch(plan, generation, plan.check, pipes);
}

Launch Launcher::for_look(const Plan& plan, GenerationId generation, const std::vector<std::string>& command,
                          int says) {
  Launch look = without_sockets(named(plan, command, {}));
  look.environment.push_back(fmt::format("GRACED_GENERATION={}", generation.value));
  look.stdout_fd = dev_null_.get();
  look.stderr_fd = says;
  return look;
}

Launch Launcher::for_own_look(const Plan& plan, const std::vector<std::string>& command, int says) {
  Launch launch;
  launch.command = command;
  // Whom it trusts, as curl does.
  if (const auto authorities = find_variable(plan.environment, "SSL_CERT_FILE"))
    launch.environment = {"SSL_CERT_FILE=" + *authorities};
  launch.identity = plan.identity;
  launch.stdin_fd = dev_null_.get();
  launch.stdout_fd = launch.stderr_fd = says;
  return launch;
}

Launch Launcher::for_hook(const Plan& plan, const std::vector<std::string>& command,
                          std::vector<std::string> variables, int standard_input, const OutputPipes& pipes) {
  Launch hook = without_sockets(named(plan, command, pipes));
  std::ranges::move(variables, std::back_inserter(hook.environment));
  if (standard_input >= 0) hook.stdin_fd = standard_input;
  return hook;
}

Launch Launcher::for_worker(const Plan& plan, GenerationId generation, unsigned slot,
                            const OutputPipes& pipes) {
  Launch worker = launch(plan, generation, plan.command, pipes);
  worker.environment.push_back(fmt::format("GRACED_WORKER={}", slot));
  worker.program = plan.artefact->program();
  if (plan.handoff.adopt) {
    const AdoptionCapability& capability = plan.handoff.adoption;
    worker.adoption =
        Launch::Adoption{&adoption_filter(), capability.needs_no_new_privs, capability.wait_killable};
  }
  return worker;
}

}  // namespace graced
