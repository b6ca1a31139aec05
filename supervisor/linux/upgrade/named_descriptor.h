// The descriptors that one image hands to the next, each with a name. One that nobody names would be closed by
// the exec without a word, or left open for ever: a listening socket lost, or a leak.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "linux/base/file_id.h"

namespace graced {

struct NamedDescriptor {
  std::string name;  // what it is to graced, "listener http"
  int fd;
  FileId file;       // what it is open for
  std::string kind;  // of what has no inode of its own, as /proc has it: "anon_inode:bpf-map"; else empty
  bool of_starter = false;  // see starter_descriptors()
};

// As it is now. `fd` is borrowed, and none of the standard ones, which every image keeps. Throws
// std::system_error: it is not open.
NamedDescriptor named_descriptor(std::string name, int fd);

// What whoever started graced has left open, knowingly or not: all that is in neither list and not CLOEXEC, as
// all that graced opens is. Such a descriptor outlives every exec, and no image touches it; but it must be
// carried as well, or it would look like one that was forgotten.
std::vector<NamedDescriptor> starter_descriptors(std::span<const NamedDescriptor> carried,
                                                 std::span<const NamedDescriptor> left);

// A line for each that is closed, or open for something else than it says, and for each number with two names.
std::vector<std::string> wrong_descriptors(std::span<const NamedDescriptor> named);

// A line for each descriptor of this process that is in neither list: "descriptor 17 (socket:[123]) is not
// named in the state". Those of every event loop (epoll(7), timerfd, signalfd) need no name: each image has its
// own.
std::vector<std::string> unnamed_descriptors(std::span<const NamedDescriptor> carried,
                                             std::span<const NamedDescriptor> left);

// Whether an exec leaves them open: sets or clears CLOEXEC of each but those of the starter. Async-signal-safe.
void keep_over_exec(std::span<const NamedDescriptor> carried, bool keep) noexcept;
void keep_over_exec(int fd, bool keep) noexcept;

}  // namespace graced
