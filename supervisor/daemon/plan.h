// All that the workers of one generation are started with: the options as they were read for it,
// its sockets, its environment. Made once per generation; a respawned worker gets the same.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/handoff_capabilities.h"
#include "handoff/passed_socket.h"
#include "linux/base/account.h"
#include "linux/manager/inherited_sockets.h"
#include "linux/proc/served_socket.h"
#include "linux/sockets/listener.h"
#include "linux/worker/artefact.h"
#include "linux/worker/spawn.h"
#include "options/file_record.h"
#include "options/options.h"

namespace graced {

class RestoredListeners;
class SocketSets;

// An address that was open already and is to have other options from the switch on.
struct ChangedSocket {
  std::shared_ptr<Listener> listener;
  ListenOptions options;
};

struct Plan {
  RunOptions options;
  FileRecord files;  // that those were read from
  HandoffPlan handoff;
  std::vector<PassedSocket> sockets;  // those that graced inherited, then --listen in its order
  std::vector<ServedSocket> served;   // the same, as they are known when a worker's clients are looked for
  std::vector<ChangedSocket> changed;
  bool name_is_taken =
      false;  // a socket stands in for one whose name is free once the generation before has left
  std::vector<std::string> command;      // {fd:NAME} replaced
  std::vector<std::string> check;        // likewise; empty: none
  std::vector<std::string> environment;  // of every worker, without what differs between them
  std::optional<Launch::Identity> identity;
  std::shared_ptr<const Artefact> artefact = std::make_shared<const Artefact>();  // what hold_artefact found
};

// Of graced's own environment, "NAME=VALUE" each, what its workers have as well.
std::vector<std::string> inheritable(const std::vector<std::string>& own_environment);

// What it says of sockets that graced was started with.
ListenVariables listen_variables(const std::vector<std::string>& own_environment);

// How these are called, without a look at any. Throws std::runtime_error.
std::vector<std::string> names_of_inherited(const std::vector<std::string>& own_environment);

// Where the control socket is. Throws std::runtime_error if there is no place for it.
std::string control_path(const RunOptions& options);

// The rest of `plan`, which plan_without_sockets() has begun for these options.
// Opens the addresses that `serving` (may be null) does not have; those it has are taken over as they
// are, or, where new connections are switched, opened once more or taken from `sets` (null for the first
// generation).
// Throws std::exception with one line to show; what was opened is closed again then. `restored`: what an
// earlier graced left for the first generation; it is taken before anything is opened, the rest of it is
// closed. spare_place: see Opening.
Plan make_plan(Plan plan, RunOptions options, const std::vector<std::shared_ptr<Listener>>& inherited,
               const Plan* serving, HandoffCapabilities& capabilities, SocketSets* sets,
               RestoredListeners* restored, const std::string& spare_place);

// Of another generation of the same: nothing is read, found or checked again, and what it runs is what that one
// runs. Only sockets are opened, and thrown for, as in make_plan().
Plan another_plan(const Plan& serving, const std::vector<std::shared_ptr<Listener>>& inherited,
                  SocketSets* sets, const std::string& spare_place);

// A plan as far as it can be made without sockets and without a look at what this machine offers: who the
// workers are (`account`, see account_of()), and what they find in their environment beside this, which is
// what is inheritable of graced's. Throws as make_plan() does.
Plan plan_without_sockets(const RunOptions& options, const std::vector<std::string>& environment,
                          const std::optional<Account>& account);

// The same, with what the options say as it is written there: {fd:NAME} is no number.
Plan plan_as_written(const RunOptions& options, const std::vector<std::string>& environment,
                     const std::optional<Account>& account);

// Puts the numbers of the sockets called so where the options say {fd:NAME}; takes the options.
// Throws UsageError.
void number_sockets(Plan& plan, RunOptions options, const std::vector<std::string>& names);

// The number of the socket that is called so. Throws UsageError if there is none.
int number_of_socket(std::string_view name, const std::vector<std::string>& names);

// The rest of its preparation: what its workers run is found and held, see Artefact. place: where --chdir
// begins, and where workers start without it. Throws std::exception with one line to show.
void hold_artefact(Plan& plan, const Fd& place);

// Throws std::runtime_error where these options need /proc and it is not there: what a worker does is seen only
// in it, but for --ready after:TIME.
void require_proc_for(const RunOptions& options);

// Who --user and --group say the workers are; none: graced's own user. Throws std::runtime_error where there
// is no such account.
std::optional<Account> account_of(const RunOptions& options);
Launch::Identity identity_of(const Account& account);

// The part that differs between workers is added by the caller. Borrows the sockets and the environment of the
// plan.
Launch launch_of(const Plan& plan, std::vector<std::string> command);

}  // namespace graced
