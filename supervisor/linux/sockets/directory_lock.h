// One graced at a time makes files in a directory.
#pragma once

#include <string>

#include "linux/base/fd.h"

namespace graced {

// Two that find the same stale file could each remove what the other has just made of it. Not for ever: such
// locks have other uses too, see tmpfiles.d(5); after a moment it is done without.
class DirectoryLock {
 public:
  // Of the directory that `path` is in.
  explicit DirectoryLock(const std::string& path);

 private:
  Fd directory_;  // closing it gives the lock back
};

}  // namespace graced
