// Tells that a file's names or attributes have changed, inotify(7): of the file itself, so that what else
// happens in its directory wakes nobody.
#pragma once

#include <string>

#include "linux/base/fd.h"

namespace graced {

class FileWatch {
 public:
  FileWatch();  // throws std::system_error where the kernel or a limit (fs.inotify.max_user_instances) has none

  int fd() const { return fd_.get(); }  // readable: something has changed; call clear()
  void clear();

  // The number to remove it by; -1 with errno. The file must be readable to this user.
  int add(const std::string& path);
  void remove(int number);  // -1: nothing

 private:
  Fd fd_;
};

}  // namespace graced
