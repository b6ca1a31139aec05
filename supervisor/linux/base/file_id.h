// Which file it is, whatever its name.
#pragma once

#include <sys/types.h>

namespace graced {

struct FileId {  // zeros: none
  dev_t device = 0;
  ino_t inode = 0;

  friend bool operator==(const FileId&, const FileId&) = default;
};

}  // namespace graced
