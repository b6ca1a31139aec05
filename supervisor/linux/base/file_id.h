// Which file it is, whatever its name.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <compare>

namespace graced {

struct FileId {  // zeros: none
  dev_t device = 0;
  ino_t inode = 0;

  friend auto operator<=>(const FileId&, const FileId&) = default;
};

inline FileId file_id(const struct stat& file) {
  return {file.st_dev, file.st_ino};
}

// Of what a descriptor is open for, and of what a path leads to, also by symbolic links. None: it cannot be
// told.
FileId file_id(int fd);
FileId file_id(const char* path);

// Whether both descriptors are open for one file; false where that cannot be told.
bool same_file(int a, int b);

}  // namespace graced
