#include "linux/event/file_watch.h"

#include <sys/inotify.h>

#include <array>

#include "linux/base/sys_error.h"

namespace graced {

FileWatch::FileWatch() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!fd_) throw sys_error("inotify");
}

void FileWatch::clear() {
  std::array<char, 4096> events;
  while (::read(fd_.get(), events.data(), events.size()) > 0) {}
}

// Its number of links is an attribute: it changes when a name goes, by unlink or by another file's taking it.
int FileWatch::add(const std::string& path) {
  return ::inotify_add_watch(fd_.get(), path.c_str(), IN_ATTRIB | IN_MOVE_SELF | IN_DONT_FOLLOW);
}

void FileWatch::remove(int number) {
  if (number >= 0) ::inotify_rm_watch(fd_.get(), number);
}

}  // namespace graced
