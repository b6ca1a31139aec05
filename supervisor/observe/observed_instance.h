// An instance as a process beside it sees it: what it reports, and what the kernel tells of it. What cannot be
// read (of another network, of another PID namespace, for want of a right) is absent, never 0.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/control/control_report.h"

namespace graced {

// All sockets that are bound to one address of an instance together, whichever process has them: graced, its
// workers, or another instance that shares the address.
struct AddressLoad {
  std::string address;  // as in AddressReport
  // Connections to be accepted, and how many may wait there, net.core.somaxconn included. Each generation may
  // have a socket of its own, and each worker: then those of the one that is nearest to its limit, as
  // connections are lost there first. None of datagrams.
  std::optional<std::uint32_t> waiting;
  std::optional<std::uint32_t> longest;
  std::optional<std::uint64_t> drops;      // connections or datagrams without room, since the sockets were made
  std::optional<std::uint32_t> connected;  // connections that were accepted from it and are open
};

struct GenerationLoad {
  enum class Memory {
    cgroup,    // all that its cgroup is charged for
    resident,  // of all of its processes (RSS): a page that several of them have counts for each
  };

  std::uint64_t generation = 0;
  std::optional<std::uint32_t> processes;    // workers and all below them
  std::optional<std::uint32_t> connections;  // open, accepted by them at the addresses of the instance
  std::optional<std::uint64_t> memory;       // bytes
  Memory memory_is = Memory::resident;
  std::optional<Duration> cpu;  // run since it began
};

// What graced itself takes.
struct SupervisorLoad {
  std::optional<Duration> cpu;               // run since it began; without its workers
  std::optional<std::uint64_t> memory;       // bytes; of pages shared with other processes its share (PSS)
  std::optional<unsigned long> descriptors;  // open
};

struct ObservedInstance {
  enum class Answer {
    told,
    silent,   // it is there and does not answer in time
    refused,  // it does not want to, or we may not ask: `why`
    gone,     // nobody is there
  };

  std::string name;     // as it calls itself; of one that has not answered, as its directory is called
  std::string control;  // path of its socket
  Answer answer = Answer::gone;
  std::string why{};             // of one that has not told, one line
  InstanceReport report{};       // of one that has told
  std::optional<pid_t> process;  // graced, as it is called here; none: of a PID namespace that we do not see

  std::vector<AddressLoad> addresses{};       // each one once, in the order of the report
  std::vector<GenerationLoad> generations{};  // that have a worker, by number
  SupervisorLoad supervisor{};
};

// Over all of its addresses; none if none of them is known.
std::optional<std::uint32_t> connections_of(const ObservedInstance&);
std::optional<std::uint32_t> waiting_of(const ObservedInstance&);
// Over all of its generations, without graced itself.
std::optional<std::uint64_t> memory_of(const ObservedInstance&);
std::optional<Duration> cpu_of(const ObservedInstance&);

}  // namespace graced
