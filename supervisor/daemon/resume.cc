#include "daemon/resume.h"

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/version.h"
#include "daemon/daemon_state.h"
#include "linux/upgrade/named_descriptor.h"
#include "linux/upgrade/on_trial.h"
#include "linux/upgrade/resume_guard.h"
#include "linux/upgrade/state_file.h"

namespace graced {

namespace {

// Of the call itself: what was open for it, and is no part of the state.
std::vector<NamedDescriptor> of_the_call(const UpgradeCall& call) {
  std::vector<NamedDescriptor> found;
  for (const auto& [name, fd] : {std::pair("the state", call.state), std::pair("the answer", call.answer),
                                 std::pair("the image before", call.old)}) {
    if (fd >= 0) found.push_back(named_descriptor(name, fd));
  }
  return found;
}

void check_descriptors(const UpgradeCall& call, const DaemonState& state) {
  const std::vector<NamedDescriptor> carried = carried_of(state);
  std::vector<std::string> faults = wrong_descriptors(carried);
  // One that is open and has no name is no reason to end, where there is no image to go back to.
  if (call.kind != UpgradeCall::Kind::back) {
    for (std::string& unnamed : unnamed_descriptors(carried, of_the_call(call)))
      faults.push_back(std::move(unnamed));
  }
  if (faults.empty()) return;
  throw std::runtime_error(
      faults.size() == 1 ? faults.front() : fmt::format("{}, and {} more", faults.front(), faults.size() - 1));
}

DaemonState state_of(const UpgradeCall& call) {
  DaemonState state = read_daemon_state(read_state(call.state));
  check_descriptors(call, state);
  came_of(state.upgrading, own_version(), call.kind == UpgradeCall::Kind::back ? call.why : "");
  return state;
}

}  // namespace

// What is made here is not destroyed: the files are those of the image that runs.
void be_tried(const UpgradeCall& call) {
  answer_what_is_thrown(call.answer);
  DaemonState state = state_of(call);
  const HandoffCapabilities before = state.planner.capabilities;
  (void)std::make_unique<Daemon>(std::move(state)).release();
  end_trial(call.answer, before.lost(), own_version());
}

std::unique_ptr<Daemon> take_over(const UpgradeCall& call, char** arguments) {
  ResumeGuard guard(call, arguments);
  DaemonState state = state_of(call);
  const std::vector<NamedDescriptor> carried = carried_of(state);
  auto daemon = std::make_unique<Daemon>(std::move(state));
  guard.commit(carried);
  return daemon;
}

}  // namespace graced
