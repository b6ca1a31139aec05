// fstat(2): device and inode together are a file's identity.
#include "linux/base/file_id.h"

#include <sys/stat.h>

namespace graced {

bool same_file(int a, int b) {
  struct stat one {};
  struct stat other {};
  return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

}  // namespace graced
