#include "linux/sockets/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <ctime>
#include <filesystem>

namespace graced {

DirectoryLock::DirectoryLock(const std::string& path)
    : directory_(
          ::open(std::filesystem::absolute(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int attempt = 0; directory_ && attempt < 200; ++attempt) {
    if (::flock(directory_.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace graced
