// Which socket a descriptor means, whoever has it under whatever number.
#pragma once

#include <sys/stat.h>

namespace graced {

inline ino_t inode_of(int fd) {  // 0: no descriptor
  struct stat s {};
  return ::fstat(fd, &s) == 0 ? s.st_ino : 0;
}

}  // namespace graced
