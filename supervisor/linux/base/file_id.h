// Which file it is, whatever its name.
#pragma once

#include <sys/types.h>

namespace graced {

struct FileId {  // zeros: none
  dev_t device = 0;
  ino_t inode = 0;

  friend bool operator==(const FileId&, const FileId&) = default;
};

// Whether both descriptors are open for one file; false where that cannot be told.
bool same_file(int a, int b);

}  // namespace graced
