// What generations run with and what it was read from, as one image of graced hands it to the next.
#pragma once

#include <tuple>

#include "daemon/daemon_members.h"
#include "daemon/kept_addresses.h"
#include "daemon/kept_plans.h"
#include "daemon/planner.h"
#include "kept/capability_members.h"
#include "kept/handoff_members.h"
#include "kept/place_members.h"
#include "kept/socket_members.h"
#include "kept/worker_members.h"
#include "state/members.h"
#include "state/policy_members.h"

namespace graced {

template <>
struct Members<FileRecord> {
  static constexpr std::tuple all{Named{"record", &FileRecord::record_}};
};

template <>
struct Members<Invocation> {
  static constexpr std::tuple all{
      NotWritten{&Invocation::words},  // taken from the arguments again
      Named{"environment", &Invocation::environment},
      Named{"arguments", &Invocation::arguments},
      Named{"files", &Invocation::files},
  };
};

template <>
struct Members<Planner::Kept> {
  using Kept = Planner::Kept;
  static constexpr std::tuple all{
      Named{"invocation", &Kept::invocation},
      Named{"starting-place", &Kept::starting_place},
      Named{"inherited", &Kept::inherited},
      Named{"capabilities", &Kept::capabilities},
  };
};

template <>
struct Members<HandoffPlan> {
  static constexpr std::tuple all{
      Named{"adopt", &HandoffPlan::adopt},
      Named{"adoption", &HandoffPlan::adoption},
      Named{"sets", &HandoffPlan::sets},
      Named{"datagrams", &HandoffPlan::datagrams},
      Named{"settles", &HandoffPlan::settles},
      Named{"switched", &HandoffPlan::switched},
      Named{"drain", &HandoffPlan::drain},
      Named{"probation", &HandoffPlan::probation},
      Named{"workers", &HandoffPlan::workers},
      Named{"batch", &HandoffPlan::batch},
      Named{"max-draining", &HandoffPlan::max_draining},
      Named{"notes", &HandoffPlan::notes},
  };
};

template <>
struct Members<Launch::Identity> {
  using Identity = Launch::Identity;
  static constexpr std::tuple all{
      Named{"uid", &Identity::uid},
      Named{"gid", &Identity::gid},
      Named{"groups", &Identity::groups},
      Named{"name", &Identity::name},
  };
};

template <>
struct Members<KeptPlan::Socket> {
  using Socket = KeptPlan::Socket;
  static constexpr std::tuple all{
      Named{"listener", &Socket::listener},
      Named{"name", &Socket::name},
      Named{"spec", &Socket::spec},
      Named{"switched", &Socket::switched},
  };
};

template <>
struct Members<KeptPlan::Changed> {
  using Changed = KeptPlan::Changed;
  static constexpr std::tuple all{Named{"listener", &Changed::listener}, Named{"options", &Changed::options}};
};

template <>
struct Members<KeptPlan> {
  static constexpr std::tuple all{
      Named{"files", &KeptPlan::files},
      Named{"policy", &KeptPlan::policy},
      Named{"handoff", &KeptPlan::handoff},
      Named{"sockets", &KeptPlan::sockets},
      Named{"changed", &KeptPlan::changed},
      Named{"name-is-taken", &KeptPlan::name_is_taken},
      Named{"command", &KeptPlan::command},
      Named{"check", &KeptPlan::check},
      Named{"environment", &KeptPlan::environment},
      Named{"identity", &KeptPlan::identity},
      Named{"artefact", &KeptPlan::artefact},
  };
};

template <>
struct Members<Addresses::Kept> {
  using Kept = Addresses::Kept;
  static constexpr std::tuple all{
      Named{"listeners", &Kept::listeners}, Named{"artefacts", &Kept::artefacts},
      Named{"plans", &Kept::plans},         Named{"starts-at-once", &Kept::starts_at_once},
      Named{"store", &Kept::store},         Named{"sets", &Kept::sets},
      Named{"handoff", &Kept::handoff},     Named{"watch", &Kept::watch},
  };
};

}  // namespace graced
