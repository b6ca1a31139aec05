// The side of spawn() that runs in the new process, up to exec.
#pragma once

#include <string>
#include <vector>

#include "linux/worker/spawn.h"

namespace graced {

enum class SpawnStep : int {
  signals,
  group,
  descriptors,
  limits,
  adoption,
  groups,
  gid,
  uid,
  capabilities,
  directory,
  exec
};

struct SpawnFailure {
  SpawnStep step;
  int code;   // errno
  int which;  // index of the limit, or number of the capability
};

// Everything the child needs, as pointers to memory that the parent owns.
struct SpawnLayout {
  const Launch* launch;
  std::vector<std::string> strings;   // backing of what follows
  std::vector<std::string> programs;  // paths to try, in order
  std::vector<const char*> argv;
  std::vector<const char*> envp;
  char* listen_pid = nullptr;               // digits go here; the rest of the slot is already zero
  std::vector<int> pass;                    // working copy of pass_fds
  const std::vector<int>* ignored_signals;  // exec resets handlers by itself, but not these
  int status_fd = -1;                       // closed by exec, or else it gets a SpawnFailure
  int program_fd = -1;
  std::vector<const char*> shell;  // and its arguments, where it is to read the program's descriptor
  char* shell_fd = nullptr;        // digits of that go here
  int directory_fd = -1;
  int listener_socket = -1;  // where the filter's descriptor is sent, if there is one
};

// Takes a SpawnLayout. Calls only what is safe in a process that shares its parent's memory.
[[noreturn]] void become_worker(void* layout) noexcept;

}  // namespace graced
