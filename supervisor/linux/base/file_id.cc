// Device and inode together are a file's identity.
#include "linux/base/file_id.h"

namespace graced {

FileId file_id(int fd) {
  struct stat file {};
  return ::fstat(fd, &file) == 0 ? file_id(file) : FileId{};
}

FileId file_id(const char* path) {
  struct stat file {};
  return ::stat(path, &file) == 0 ? file_id(file) : FileId{};
}

bool same_file(int a, int b) {
  const FileId one = file_id(a);
  return one != FileId{} && one == file_id(b);
}

}  // namespace graced
