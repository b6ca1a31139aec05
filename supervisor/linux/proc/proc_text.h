// The texts of /proc/PID taken apart. The kernel writes them, but what stands in them, names and
// environments, is any process's choice. Nothing here reads a file, nothing fails: what makes no sense is no
// answer.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux/proc/process.h"

namespace graced {

struct ProcessStat {
  char state;
  pid_t parent;
  unsigned flags;  // PF_*
  long threads;
  std::uint64_t started;     // ticks since the machine was
  std::uint64_t ran;         // ticks, on a processor
  std::uint64_t ran_before;  // likewise, of its children that have ended and that it has waited for
  std::uint64_t resident;    // pages
};
std::optional<ProcessStat> parse_stat(const std::string& text);

// The voluntary switches in /proc/PID/status, of a process with one thread.
std::optional<std::uint64_t> parse_voluntary_switches(std::string_view status);

// Of the signals in a line of /proc/PID/status, "SigCgt": bit 0 is signal 1.
std::optional<std::uint64_t> parse_signal_set(std::string_view status, std::string_view line);

std::vector<pid_t> parse_children(std::string_view text);  // of task/TID/children

// Of environ: the last of each kind counts.
std::optional<WorkerMark> parse_mark(std::string_view environment);

// The process of a pidfd, from its fdinfo; -1 if that tells none.
pid_t parse_pidfd_info(std::string_view text);

// What an epoll instance watches, from its fdinfo. The inode stays true when the number was closed and given
// away since.
struct EpollTarget {
  int fd;
  ino_t inode;
  unsigned events;  // EPOLL*
};
std::vector<EpollTarget> parse_epoll_info(std::string_view text);

// What a thread is blocked in; nullopt if it runs.
struct BlockedCall {
  long number;  // SYS_*
  std::array<unsigned long, 3> arguments;
};
std::optional<BlockedCall> parse_syscall(const std::string& text);

}  // namespace graced
