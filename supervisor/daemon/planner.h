// Makes the plan of a generation: of the options as graced was started with, or, at a reload, as their files
// have them by then.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/handoff_capabilities.h"
#include "daemon/lookups.h"
#include "daemon/option_files.h"
#include "daemon/plan.h"
#include "handoff/kept_listeners.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/manager/inherited_sockets.h"
#include "linux/worker/starting_place.h"
#include "options/options.h"

namespace graced {

// As graced was started: what a reload reads its options from again.
struct Invocation {
  ParsedWords words;                     // what follows `graced run`
  std::vector<std::string> environment;  // NAME=VALUE
  std::vector<std::string> arguments{};  // as main got them, the program's name among them
  FileRecord files{};                    // that the first options were read from
};

class Planner {
 public:
  // Takes the sockets that graced was started with. Throws std::exception with one line to show.
  Planner(Loop& loop, Invocation invocation, RunOptions first);

  // What another image of this process takes over, see linux/upgrade. Nothing is being read, see waits_for().
  struct Kept {
    Invocation invocation{};  // its words follow from its arguments
    StartingPlace::Kept starting_place{};
    std::vector<unsigned> inherited{};  // listeners
    HandoffCapabilities capabilities{};
  };
  Kept kept(ListenerNumbers& listeners) const;
  // Options are parsed again. Throws std::exception: they mean nothing to this image.
  Planner(Loop& loop, Kept kept, const TakenListeners& listeners);

  const RunOptions& first_options() const { return first_; }
  const Invocation& invocation() const { return invocation_; }
  const std::vector<std::string>& environment() const { return invocation_.environment; }  // of graced

  std::vector<StoredDescriptor> take_stored() { return std::move(inherited_.stored); }
  const std::string& ignored() const { return inherited_.ignored; }  // of those sockets; empty: none
  HandoffCapabilities& capabilities() { return capabilities_; }

  // Who the workers of the first generation are, and what they find in their environment. Throws as
  // make_plan() does.
  Plan plan_without_sockets() const;

  // spare_place: see make_plan(). Throws as that does.
  Plan first_plan(RestoredListeners& restored, const std::string& spare_place);

  // The rest of it, for which the options were read again: sets() gives the sets that its sockets come from;
  // beside: it is to serve beside the one before for a while.
  using Sets = std::function<SocketSets*(bool beside)>;
  using MakePlan = std::function<Plan(const Plan& serving, const std::string& spare_place, const Sets& sets)>;

  // Reads them; `done` is called with what throws or makes the plan, after this returns, and not after
  // give_up(). Throws std::exception with one line to show.
  void read_again(const std::function<void(const MakePlan&)>& done);

  // See another_plan().
  Plan another(const Plan& serving, const std::string& spare_place, SocketSets* sets) const {
    return another_plan(serving, inherited_.sockets, sets, spare_place);
  }

  WaitsFor waits_for() const;
  void give_up();

 private:
  RunOptions options_again() const;
  void look_up(RunOptions options, FileRecord files, const std::function<void(const MakePlan&)>& done);
  Fd directory_for(const RunOptions& options) const;
  Plan plan_again(RunOptions options, const Plan& serving, const std::string& spare_place, const Sets& sets);

  Invocation invocation_;
  RunOptions first_;
  std::vector<std::string> inheritable_;  // of the environment
  StartingPlace starting_place_;
  Inherited inherited_;
  OptionFiles files_;
  Lookups lookups_;
  HandoffCapabilities capabilities_;
};

}  // namespace graced
