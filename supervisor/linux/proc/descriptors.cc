// proc_pid_fd(5).
#include "linux/proc/descriptors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/number.h"
#include "linux/base/pidfd.h"
#include "linux/proc/proc_file.h"

namespace graced {

namespace {

constexpr unsigned pidfd_thread = O_EXCL;  // PIDFD_THREAD, Linux 6.9

bool refused(int code) {
  return code == EACCES || code == EPERM;
}

OpenFile open_file_at(int directory, const char* path) {
  using Kind = OpenFile::Kind;
  std::array<char, 64> target;
  const ssize_t n = ::readlinkat(directory, path, target.data(), target.size());
  if (n < 0) return {refused(errno) ? Kind::hidden : Kind::gone};
  const std::string_view name(target.data(), static_cast<std::size_t>(n));
  constexpr std::string_view socket = "socket:[";
  if (name == "anon_inode:[eventpoll]") return {Kind::epoll};
  if (!name.starts_with(socket) || !name.ends_with(']')) return {Kind::other};
  const auto inode = parse_number<ino_t>(name.substr(socket.size(), name.size() - socket.size() - 1));
  return inode ? OpenFile{Kind::socket, *inode} : OpenFile{Kind::other};
}

}  // namespace

OpenFile open_file(pid_t thread, int number) {
  return open_file_at(AT_FDCWD, fmt::format("/proc/{}/fd/{}", thread, number).c_str());
}

Descriptors::Descriptors(pid_t thread)
    : thread_(thread), directory_(::opendir(fmt::format("/proc/{}/fd", thread).c_str())) {
  if (!directory_) failed_ = errno;
}

Descriptors Descriptors::of_process(pid_t process) {
  Descriptors first(process);
  if (first.failed_ != 0 || !first.numbers().empty()) return first;
  for (const std::string& name : entries_of(fmt::format("/proc/{}/task", process))) {
    const pid_t thread = std::atoi(name.c_str());
    if (thread == process) continue;
    Descriptors other(thread);
    if (!other.gone() && (other.failed_ != 0 || !other.numbers().empty())) return other;
  }
  return first;
}

bool Descriptors::gone() const {
  return failed_ == ENOENT || failed_ == ESRCH;
}

bool Descriptors::hidden() const {
  return refused(failed_);
}

const std::vector<int>& Descriptors::numbers() {
  if (numbers_) return *numbers_;
  numbers_.emplace();
  while (const dirent* entry = directory_ ? ::readdir(directory_.get()) : nullptr) {
    if (entry->d_name[0] != '.') numbers_->push_back(std::atoi(entry->d_name));
  }
  return *numbers_;
}

std::optional<unsigned long> Descriptors::count() const {
  struct stat s {};
  if (!directory_ || ::fstat(::dirfd(directory_.get()), &s) != 0 || s.st_size == 0) return std::nullopt;
  return static_cast<unsigned long>(s.st_size);
}

OpenFile Descriptors::at(int number) const {
  if (!directory_) return {hidden() ? OpenFile::Kind::hidden : OpenFile::Kind::gone};
  return open_file_at(::dirfd(directory_.get()), fmt::format_int(number).c_str());
}

Fd open_pidfd_of_thread(pid_t thread) {
  Fd found = open_pidfd(thread);
  if (found) return found;  // it is the first one of its process
  found.reset(static_cast<int>(::syscall(SYS_pidfd_open, thread, pidfd_thread)));
  if (found || errno != EINVAL) return found;
  const std::string status = contents_of(fmt::format("/proc/{}/status", thread)).value_or("");
  const std::size_t at = status.find("\nTgid:");
  if (at == std::string::npos) {
    errno = ESRCH;
    return Fd();
  }
  return open_pidfd(std::atoi(status.c_str() + at + 6));
}

}  // namespace graced
