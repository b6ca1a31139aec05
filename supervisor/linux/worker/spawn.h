// From a plan to a running process: clone3 like vfork, everything laid out before, errors by a pipe.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

// Descriptors are borrowed for the call. Nothing else than these (and stdin, stdout, stderr where left at -1)
// reaches the new process. It begins with no signal blocked and every signal at its default,
// but for SIGPIPE and SIGHUP, which stay ignored where graced was started so (systemd's IgnoreSIGPIPE=,
// nohup(1)).
struct Launch {
  std::vector<std::string> command;  // at least one word; without '/' it is looked up in the environment's PATH
  std::vector<std::string> environment;  // NAME=VALUE; LISTEN_FDS and its kin are added here
  const std::vector<std::string>* shared_environment = nullptr;  // borrowed; comes before the other

  std::vector<int> pass_fds;            // become 3, 4, …, see sd_listen_fds(3)
  std::vector<std::string> pass_names;  // as many; LISTEN_FDNAMES
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;

  struct Identity {
    uid_t uid;
    gid_t gid;
    std::vector<gid_t> groups;
    std::string name;  // for messages
  };
  struct Limit {
    int resource;
    rlimit value;
    std::string name;  // for messages
  };
  // Where its bind and listen are to be answered by graced, see adoption.h.
  struct Adoption {
    const std::vector<sock_filter>* filter;
    bool no_new_privs;   // AdoptionCapability::needs_no_new_privs
    bool wait_killable;  // AdoptionCapability::wait_killable
  };
  // A file that is the command, whatever has its name by now.
  struct Program {
    std::string path;  // leads to it; empty: nothing does
    int fd = -1;       // names it (O_PATH); -1: the path has to do
    // Of a script for a shell: from a descriptor that is called with these words, and $0 is that name.
    std::vector<std::string> shell{};
    std::string name{};
  };
  std::optional<Identity> identity;
  std::vector<Limit> limits;
  std::optional<mode_t> umask;
  std::optional<Program> program;        // none: the command's first word is looked for
  std::optional<std::string> directory;  // that the worker was told to start in, and must be allowed to enter
  int directory_fd = -1;                 // it, or that of graced where there is none; -1: by its name
  std::optional<Adoption> adoption;
  int cgroup_fd = -1;  // the directory of the cgroup that it begins in
  // A bit for each number in capabilities(7). Of what graced has for itself, inheritable and ambient ones
  // included, the process gets these and no others; a process of root's has what root has, as ever.
  std::uint64_t kept_capabilities = 0;
  bool trial = false;  // see try_spawn()
};

struct Spawned {
  pid_t pid;  // leads a process group of its own
  Fd pidfd;
  Fd notifications;  // of its seccomp filter; none without Launch::adoption
};

struct SpawnFailed {
  enum class Cause { limits, user, capabilities, directory, program, other };

  std::string why;  // "exec ./app: No such file or directory"
  bool missing;     // the program is not there, as a shell's 127; else found but not startable, 126
  Cause cause = Cause::other;
};

// All signals must be blocked or harmless in the caller; one thread. Throws std::system_error where
// graced itself lacks something (descriptors, memory for a process).
std::variant<Spawned, SpawnFailed> spawn(const Launch& launch);

// What spawn() would say, without a process left: the kernel loads the program and stops it before its first
// instruction. Where it may not be stopped (a container without ptrace) it is not loaded, and only looked for.
// nullopt: it can be started. Throws as spawn() does.
std::optional<SpawnFailed> try_spawn(Launch launch);

}  // namespace graced
