// proc_pid_fd(5), fcntl(2).
#include "linux/upgrade/named_descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "linux/base/sys_error.h"
#include "linux/proc/descriptors.h"

namespace graced {

namespace {

constexpr std::string_view anonymous = "anon_inode:";

// What /proc says that it is open for: "socket:[123]", "/run/x/lock".
std::string target_of(int fd) {
  std::array<char, 256> target;
  const ssize_t n = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), target.data(), target.size());
  return n < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(n));
}

// All files of these kinds have one inode.
std::string kind_of(const std::string& target) {
  return target.starts_with(anonymous) ? target : "";
}

bool is_of_a_loop(std::string_view target) {
  constexpr std::array<std::string_view, 3> kinds{"anon_inode:[eventpoll]", "anon_inode:[timerfd]",
                                                  "anon_inode:[signalfd]"};
  return std::ranges::find(kinds, target) != kinds.end();
}

bool has(std::span<const NamedDescriptor> list, int fd) {
  return std::ranges::find(list, fd, &NamedDescriptor::fd) != list.end();
}

std::vector<int> open_descriptors() {
  Descriptors own(::getpid());
  if (own.failed() != 0) throw sys_error_of(own.failed(), "read /proc/self/fd");
  return own.numbers();
}

// With what each is open for.
std::vector<std::pair<int, std::string>> in_neither(std::span<const NamedDescriptor> carried,
                                                    std::span<const NamedDescriptor> left) {
  std::vector<std::pair<int, std::string>> found;
  for (const int fd : open_descriptors()) {
    if (fd <= STDERR_FILENO || has(carried, fd) || has(left, fd)) continue;
    std::string target = target_of(fd);
    if (target.empty() || is_of_a_loop(target)) continue;  // empty: it is what they were read by, and closed
    found.emplace_back(fd, std::move(target));
  }
  return found;
}

}  // namespace

NamedDescriptor named_descriptor(std::string name, int fd) {
  struct stat file {};
  if (::fstat(fd, &file) != 0) throw sys_error("descriptor {} ({})", fd, name);
  return {std::move(name), fd, file_id(file), kind_of(target_of(fd))};
}

std::vector<std::string> wrong_descriptors(std::span<const NamedDescriptor> named) {
  std::vector<std::string> wrong;
  std::map<int, const NamedDescriptor*> seen;
  for (const NamedDescriptor& d : named) {
    const auto [first, is_first] = seen.emplace(d.fd, &d);
    struct stat file {};
    if (!is_first) {
      wrong.push_back(
          fmt::format("descriptor {} is named twice, {} and {}", d.fd, first->second->name, d.name));
    } else if (d.fd <= STDERR_FILENO) {
      wrong.push_back(fmt::format("descriptor {} ({}) is a standard one, or none", d.fd, d.name));
    } else if (::fstat(d.fd, &file) != 0) {
      wrong.push_back(fmt::format("descriptor {} ({}) is not open", d.fd, d.name));
    } else if (const std::string now = target_of(d.fd); file_id(file) != d.file || kind_of(now) != d.kind) {
      wrong.push_back(fmt::format("descriptor {} ({}) is open for something else, {}", d.fd, d.name, now));
    }
  }
  return wrong;
}

std::vector<NamedDescriptor> starter_descriptors(std::span<const NamedDescriptor> carried,
                                                 std::span<const NamedDescriptor> left) {
  std::vector<NamedDescriptor> found;
  for (const auto& [fd, target] : in_neither(carried, left)) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) continue;
    found.push_back(named_descriptor("of who started graced", fd));
    found.back().of_starter = true;
  }
  return found;
}

std::vector<std::string> unnamed_descriptors(std::span<const NamedDescriptor> carried,
                                             std::span<const NamedDescriptor> left) {
  std::vector<std::string> unnamed;
  for (const auto& [fd, target] : in_neither(carried, left))
    unnamed.push_back(fmt::format("descriptor {} ({}) is not named in the state", fd, target));
  return unnamed;
}

void keep_over_exec(int fd, bool keep) noexcept {
  ::fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

void keep_over_exec(std::span<const NamedDescriptor> carried, bool keep) noexcept {
  for (const NamedDescriptor& d : carried) {
    if (!d.of_starter) keep_over_exec(d.fd, keep);
  }
}

}  // namespace graced
