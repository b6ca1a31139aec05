#include "linux/base/file_looks.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux/base/fd.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

namespace graced {

namespace {

std::optional<struct stat> look(int directory, const char* name, int flags) {
  struct stat found {};
  if (::fstatat(directory, name, &found, flags) != 0) return std::nullopt;
  return found;
}

// As the kernel knows it: a file system of the network is not asked.
std::optional<struct stat> remembered(int fd) {
  struct statx now {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &now) != 0) return std::nullopt;
  const auto time = [](const statx_timestamp& t) { return timespec{t.tv_sec, t.tv_nsec}; };
  struct stat found {};
  found.st_dev = makedev(now.stx_dev_major, now.stx_dev_minor);
  found.st_ino = now.stx_ino;
  found.st_mode = now.stx_mode;
  found.st_nlink = now.stx_nlink;
  found.st_uid = now.stx_uid;
  found.st_gid = now.stx_gid;
  found.st_size = static_cast<off_t>(now.stx_size);
  found.st_mtim = time(now.stx_mtime);
  found.st_ctim = time(now.stx_ctime);
  return found;
}

}  // namespace

std::optional<struct stat> FileLooks::at(int directory, const std::string& name) {
  if (how_ == How::waiting) return look(directory, name.c_str(), 0);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_CACHED;
  const Fd file(static_cast<int>(::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how)));
  if (file) return remembered(file.get());
  if (errno == EAGAIN) all_told_ = false;
  const bool is_known = errno != EINVAL && errno != ENOSYS && errno != EPERM;  // here, or to a seccomp filter
  return is_known ? std::nullopt : look(directory, name.c_str(), 0);
}

std::optional<struct stat> FileLooks::of(int fd) {
  return how_ == How::waiting ? look(fd, "", AT_EMPTY_PATH) : remembered(fd);
}

}  // namespace graced
