// What /proc tells of a process and its relatives. Everything may be out of date when it is read:
// a process that is gone is an answer, never an error.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/time.h"

namespace graced {

// The parent, nullopt if there is no such process (any more).
std::optional<pid_t> parent_of(pid_t pid);

// Whether its parent is such a one, or the parent's, and so on.
bool any_above(pid_t pid, const std::function<bool(pid_t)>& is_such);

// What a thread's process and the parent of that are called, in their own PID namespaces. Empty: it is gone.
std::set<int> numbers_of(pid_t thread);

// A process that is meant by its number, and no other that gets the number later.
struct ProcessId {
  pid_t pid;
  std::uint64_t started;
  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};
std::optional<ProcessId> identity_of(pid_t pid);  // nullopt: it is gone, or a zombie

// Whom it runs as (its effective user), nullopt if it is gone.
std::optional<uid_t> user_of(pid_t pid);

// Direct ones only.
std::vector<pid_t> children_of(pid_t pid);
std::vector<pid_t> own_children();  // of graced, which has one thread
int own_children_file();            // from which they are read: stays open; -1: it could not be opened

// Children, grandchildren and so on, without the process itself.
std::vector<pid_t> descendants_of(pid_t pid);

enum class Rest {
  resting,  // every thread sleeps: what it wanted to do, it has done
  busy,
  exiting,  // on its way out, or gone
};
Rest rest_of(pid_t pid);

// How often it has waited for something, of its own will; nullopt if it is gone or has several threads.
std::optional<std::uint64_t> voluntary_switches(pid_t pid);

// How long its first thread has run on a processor; zero if the kernel does not tell.
Duration time_run(pid_t pid);

// Which worker a process was started below, as its environment tells (GRACED_GENERATION and
// GRACED_WORKER); for processes whose ancestors are gone.
struct WorkerMark {
  std::uint64_t generation;
  unsigned slot;
  std::string instance{};  // GRACED_NAME
};
std::optional<WorkerMark> mark_of(pid_t pid);

// Children of graced that were started below this worker of this instance, and left alone by whoever started
// them; not the worker itself, which is one as well.
std::vector<pid_t> orphans_of(pid_t worker, const WorkerMark& mark);

// Those that were started since this worker, which may be a zombie, and whose environment does not say whose
// they are: servers that go into the background may have overwritten it (php-fpm) or emptied it (dovecot).
std::vector<pid_t> unmarked_orphans_since(pid_t worker);

// The PID that a pidfd stands for, -1 if that process has been reaped.
pid_t pid_of(int pidfd);

// The command name (/proc/PID/comm), "?" if it is gone.
std::string name_of(pid_t pid);

std::string text_of_process(pid_t pid);  // "PID 812 (nginx)", printable whatever its name is

}  // namespace graced
