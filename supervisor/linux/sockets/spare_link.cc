// A path is given back with link(2), which fails where the name is taken instead of replacing what is there.
#include "linux/sockets/spare_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "linux/base/fd.h"
#include "linux/sockets/unix_path.h"

namespace graced {

namespace {

constexpr int most_names = 8;  // beside the path, of graceds that were killed and whose workers live on

// The file that has this name now, if it is `file`, is given another one: by a descriptor, so that nobody can
// put something else there meanwhile. 0 or an errno.
int link_file(const std::string& name, FileId file, const std::string& to) {
  const Fd found(::open(name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!found) return errno;
  struct stat now {};
  if (::fstat(found.get(), &now) != 0) return errno;
  if (file_id(now) != file) return ESTALE;
  const std::string source = fmt::format("/proc/self/fd/{}", found.get());
  return ::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

// A directory of ours alone.
bool is_private(const std::string& directory) {
  struct stat found {};
  return ::lstat(directory.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == ::geteuid() &&
         (found.st_mode & 077) == 0;
}

}  // namespace

SpareLink::SpareLink(const std::string& path, FileId file, const std::string& place) : file_(file) {
  const auto try_name = [&](const std::string& name) {
    why_ = link_file(path, file, name);
    if (why_ == EEXIST && is_stale_socket(name) && ::unlink(name.c_str()) == 0) {
      why_ = link_file(path, file, name);
    }
    if (why_ == 0) name_ = name;
    return why_ != EEXIST;
  };
  if ((::mkdir(place.c_str(), 0700) == 0 || errno == EEXIST) && is_private(place)) {
    try_name(fmt::format("{}/{:x}-{:x}", place, file.device, file.inode));
    if (name_.empty()) ::rmdir(place.c_str());  // unless it has others
    if (!name_.empty()) place_ = place;
  }
  if (name_.empty()) {
    const std::filesystem::path where(path);
    for (int i = 1; i <= most_names; ++i) {
      const std::string number = i == 1 ? "" : fmt::format("-{}", i);
      if (try_name(where.parent_path() / fmt::format(".{}.graced{}", where.filename().string(), number))) break;
    }
  }
}

SpareLink::SpareLink(SpareLink&& other) noexcept
    : name_(std::exchange(other.name_, {})),
      place_(std::exchange(other.place_, {})),
      file_(other.file_),
      why_(other.why_) {}

SpareLink& SpareLink::operator=(SpareLink&& other) noexcept {
  if (this == &other) return *this;
  remove();
  name_ = std::exchange(other.name_, {});
  place_ = std::exchange(other.place_, {});
  file_ = other.file_;
  why_ = other.why_;
  return *this;
}

int SpareLink::put_back(const std::string& path) const {
  return link_file(name_, file_, path);
}

void SpareLink::remove() noexcept {
  struct stat now {};
  if (!name_.empty() && ::lstat(name_.c_str(), &now) == 0 && file_id(now) == file_) ::unlink(name_.c_str());
  if (!place_.empty()) ::rmdir(place_.c_str());  // once it is empty
  name_.clear();
  place_.clear();
}

void remove_stale_links(const std::string& place) {
  if (!is_private(place)) return;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(place, ignored)) {
    if (entry.is_socket(ignored)) ::unlink(entry.path().c_str());
  }
  ::rmdir(place.c_str());
}

}  // namespace graced
