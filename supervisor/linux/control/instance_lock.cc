// flock(2) on a file that others may remove and make anew at any moment.
#include "linux/control/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "linux/base/file_id.h"
#include "linux/base/sys_error.h"
#include "linux/base/umask_scope.h"

namespace graced {
namespace {

std::vector<std::string> lines_of(int fd) {
  std::array<char, 4096> text;
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  std::string_view rest(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

void refuse_if_not_ours(int fd, const std::string& file) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw sys_error("look at {}", file);
  if (!S_ISREG(status.st_mode) || (status.st_uid != 0 && status.st_uid != ::geteuid()))
    throw std::runtime_error(
        fmt::format("{} was put there by uid {}: remove it, or give another place with --control PATH", file,
                    status.st_uid));
}

// A file that was removed while we waited for it locks nobody out: others have made a new one.
bool still_there(int fd, int directory, const std::string& file) {
  struct stat named {};
  return ::fstatat(directory, file.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && file_id(named) == file_id(fd);
}

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::runtime_error taken(int fd, const std::string& instance) {
  const auto lines = lines_of(fd);
  const std::string pid = lines.empty() ? "" : fmt::format(" (PID {})", lines.front());
  return std::runtime_error(fmt::format(
      "another graced named '{}' is running{}: give this one another --name, or stop that one", instance, pid));
}

}  // namespace

InstanceLock::InstanceLock(int directory, const Kept& kept)
    : directory_(directory), path_(kept.path), file_(last_part(kept.path)), lock_(kept.fd) {}

InstanceLock::InstanceLock(int directory, const std::string& path, const std::string& instance)
    : directory_(directory), path_(path), file_(last_part(path)) {
  do {
    // Ours alone: whoever may open a file for reading may lock it, and keep us from starting.
    const UmaskScope exact{0077};
    lock_ = Fd{::openat(directory_, file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!lock_ && errno == ENOENT) throw FileVanished{};
    if (!lock_) throw sys_error("no place for the control socket (--control gives another): create {}", path_);
    refuse_if_not_ours(lock_.get(), path_);
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) throw taken(lock_.get(), instance);
      throw sys_error("lock {}", path_);
    }
    for (const std::string& line : lines_of(lock_.get()))
      if (line.starts_with('/')) left_behind_.push_back(line);
  } while (!still_there(lock_.get(), directory_, file_));
}

// Unlinked while it is held: whoever opened it before sees in still_there() that it is gone.
InstanceLock::~InstanceLock() {
  ::unlinkat(directory_, file_.c_str(), 0);
}

void InstanceLock::write_down(const std::vector<std::string>& made) {
  std::string text = fmt::format("{}\n", ::getpid());
  for (const std::string& directory : made) text += directory + "\n";
  if (::ftruncate(lock_.get(), 0) != 0 ||
      ::pwrite(lock_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    throw sys_error("write {}", path_);
}

}  // namespace graced
