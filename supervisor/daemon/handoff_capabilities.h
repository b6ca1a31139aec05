// What of adoption and switched handoff this machine offers, and what follows from that for what was
// asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/members.h"
#include "core/policy.h"
#include "linux/adoption/adoption_capability.h"
#include "linux/steering/steering.h"
#include "linux/worker/spawn.h"
#include "options/options.h"

namespace graced {

// How the workers of one generation get their addresses and give them up.
struct HandoffPlan {
  bool adopt = false;  // the addresses they bind themselves are taken over
  AdoptionCapability adoption;
  // Each generation has sockets of its own on what was given with --listen as far as that can be had, which is
  // found out when there is a second one.
  bool sets = false;
  bool datagrams = false;  // each generation has sockets of its own on what is udp of --listen
  bool settles = false;    // with `switched`: old workers settle before they are told to leave
  bool switched = false;   // new connections are directed: each generation has sockets of its own
  DrainRule drain = DrainRule::signal;
  Duration probation = 0s;         // how long the generation before stands by
  unsigned workers = 1;            // of a generation…
  unsigned batch = 1;              // …and how many of them a reload starts at a time
  unsigned max_draining = 0;       // no more generations may drain than that
  std::vector<std::string> notes;  // one line each: what cannot be had, and what is done instead
};

// Tried when first needed, once a user: a machine does not change under us.
class HandoffCapabilities {
 public:
  // `inherited`: graced was started with sockets. `worker`: who the workers will be, null for graced's own
  // user. Throws UsageError for what was asked for by name and cannot be had here.
  HandoffPlan plan_for(const RunOptions& options, bool inherited, const Launch::Identity* worker);

  const AdoptionCapability& adoption(const Launch::Identity* worker);
  const SteeringProbe& steering();

  // Tries again what this process could do when it was tried. Why it cannot any more, in one line; empty: it
  // can.
  std::string lost() const;

 private:
  template <class>
  friend struct Members;

  std::optional<AdoptionCapability> adoption_;
  std::optional<uid_t> adoption_of_;
  std::optional<SteeringProbe> steering_;
};

}  // namespace graced
