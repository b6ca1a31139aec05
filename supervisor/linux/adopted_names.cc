// See adopted_names.h.
#include "linux/adopted_names.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace graced {

AdoptedName::~AdoptedName() {
  if (names_ != nullptr) std::erase(names_->held_, this);
  if (!directory_) return;
  const std::string& file = beside_.empty() ? file_ : beside_;
  struct stat now {};
  const bool ours = ::fstatat(directory_.get(), file.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
                    now.st_dev == device_ && now.st_ino == file_inode_;
  if (ours) ::unlinkat(directory_.get(), file.c_str(), 0);
}

std::vector<std::string> AdoptedNames::promote(std::uint64_t generation) {
  promoted_ = generation;
  return {};
}

}  // namespace graced
