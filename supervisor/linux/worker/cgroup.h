// The cgroup that graced was given to divide (Delegate=yes in its unit), with one below it for each
// generation: whatever its workers start, and wherever that hides, is in there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/base/fd.h"

namespace graced {

class Cgroups {
 public:
  // Moves graced itself out of the way, into a child called "supervisor". Without a cgroup that is ours to
  // divide nothing is done, and why_not() says why.
  Cgroups();

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    std::string directory;
    std::string why_not;
    int top = -1;  // -1: there is none
    bool limits_memory = false;
    std::map<std::uint64_t, int> generations{};
    std::vector<std::uint64_t> leaving{};
  };
  Kept kept() const;
  explicit Cgroups(Kept kept);

  Cgroups(const Cgroups&) = delete;
  Cgroups& operator=(const Cgroups&) = delete;
  ~Cgroups();  // removes what is empty, and moves graced back

  bool had() const { return static_cast<bool>(top_); }
  const std::string& why_not() const { return why_not_; }
  bool limits_memory() const { return limits_memory_; }

  // For Launch::cgroup_fd; made when it is first asked for. -1: there is none.
  int enter(std::uint64_t generation);

  // Its directory, for those who look for its sockets or processes; nullopt: there is none.
  std::optional<std::string> directory_of(std::uint64_t generation) const;

  std::vector<pid_t> processes_of(std::uint64_t generation) const;

  // SIGKILL for everything in it.
  void kill(std::uint64_t generation);

  // The kernel reclaims memory beyond that, and slows down who goes on taking it.
  void set_memory_high(std::uint64_t generation, std::uint64_t bytes);
  void set_no_memory_high(std::uint64_t generation);

  struct Usage {
    std::uint64_t generation = 0;
    std::optional<std::uint64_t> memory;  // bytes; where the memory controller is there
    Duration cpu{};
  };
  std::vector<Usage> usage() const;

  // All that is in the cgroup that graced was started in, and in those directly below it; nothing if that is
  // everybody's.
  std::vector<pid_t> processes() const;

  // Kills what is left of it, and removes it when that is gone, maybe at a later tidy_up().
  void leave(std::uint64_t generation);
  void tidy_up();  // after processes were reaped

 private:
  std::string directory_;
  std::string why_not_;
  Fd top_;  // its directory
  bool limits_memory_ = false;
  std::map<std::uint64_t, Fd> generations_;
  std::vector<std::uint64_t> leaving_;
};

}  // namespace graced
