// mkdir on the way there, rmdir on the way back, with others doing the same.
#include "linux/control/runtime_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "linux/base/sys_error.h"
#include "linux/base/umask_scope.h"

namespace graced {
namespace {

constexpr int directory_flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

void refuse_if_replaceable(int fd, const std::string& path) {
  struct stat directory {};
  if (::fstat(fd, &directory) != 0) throw sys_error("look at {}", path);
  if (directory.st_uid != 0 && directory.st_uid != ::geteuid())
    throw std::runtime_error(
        fmt::format("{} belongs to uid {}, who could replace the control socket: give a place of your own with "
                    "--control PATH",
                    path, directory.st_uid));
  if ((directory.st_mode & S_IWOTH) != 0 && (directory.st_mode & S_ISVTX) == 0)
    throw std::runtime_error(fmt::format(
        "everybody may write to {} and replace the control socket: give another place with --control PATH",
        path));
}

// A symlink of somebody else's, in /tmp for example, would let them choose where our files go. The kernel
// forbids to follow those only where fs.protected_symlinks is set.
void refuse_foreign_link(int directory, const std::string& part, const std::string& path) {
  struct stat link {};
  if (::fstatat(directory, part.c_str(), &link, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(link.st_mode)) return;
  if (link.st_uid == 0 || link.st_uid == ::geteuid()) return;
  throw std::runtime_error(fmt::format(
      "{} is a symlink of uid {}: give a place of your own with --control PATH", path, link.st_uid));
}

[[noreturn]] void no_place(std::string_view what, const std::string& path) {
  throw sys_error("no place for the control socket (--control gives another): {} {}", what, path);
}

// Where the kernel cannot tell (before Linux 5.8), whoever makes something there will say it.
bool may_make_files_in(const Fd& directory) {
  return ::faccessat(directory.get(), "", W_OK | X_OK, AT_EACCESS | AT_EMPTY_PATH) == 0 || errno == ENOSYS ||
         errno == EINVAL;
}

// Walked one by one: what exists may be reached by symlinks. `missing` opens a directory that is not there,
// having made it, given the one above, its name in that, and its path. Where it returns none, so does this.
Fd walk_to(const std::string& path,
           const std::function<Fd(const Fd& above, const char* name, const std::string& path)>& missing) {
  Fd directory{::open("/", directory_flags)};
  if (!directory) throw sys_error("open /");
  std::string so_far;
  for (const auto& part : std::filesystem::path(path).relative_path()) {
    if (part.empty()) continue;
    const std::string above = so_far.empty() ? "/" : so_far;
    so_far += "/" + part.string();
    refuse_foreign_link(directory.get(), part.string(), so_far);
    Fd next{::openat(directory.get(), part.c_str(), directory_flags)};
    if (!next && errno != ENOENT) no_place("open", so_far);
    if (!next) {
      refuse_if_replaceable(directory.get(), above);
      next = missing(directory, part.c_str(), so_far);
    }
    directory = std::move(next);
    if (!directory) break;
  }
  return directory;
}

bool is_on_the_way(const std::string& directory, const std::string& to) {
  return directory.size() > 1 && to.starts_with(directory) &&
         (to.size() == directory.size() || to[directory.size()] == '/');
}

}  // namespace

RuntimeDirectory::RuntimeDirectory(const std::string& path) : path_(path) {
  try {
    // Instances that leave remove what is empty, maybe just what we are about to use: then once more. Not
    // for ever, since there are places (/proc) that say the same and mean it.
    for (int attempts_left = 100; !reach(attempts_left == 0); --attempts_left) remove_made();
    refuse_if_replaceable(directory_.get(), path_);
  } catch (...) {
    remove_made();
    throw;
  }
}

// False: a directory vanished on the way, and `give_up` is not asked for.
bool RuntimeDirectory::reach(bool give_up) {
  directory_ = walk_to(path_, [&](const Fd& above, const char* name, const std::string& path) {
    const UmaskScope exact{0022};
    if (::mkdirat(above.get(), name, 0755) == 0) {
      made_.push_back(path);
    } else if (errno != EEXIST) {  // else another instance was quicker
      if (errno == ENOENT && !give_up) return Fd();
      no_place("make", path);
    }
    // What exists may be a symlink, what we make never is.
    Fd made{::openat(above.get(), name, directory_flags | O_NOFOLLOW)};
    if (!made && (errno != ENOENT || give_up)) no_place("open", path);
    return made;
  });
  return static_cast<bool>(directory_);
}

void try_runtime_directory(const std::string& path) {
  const Fd directory = walk_to(path, [](const Fd& above, const char*, const std::string& missing) {
    if (!may_make_files_in(above)) no_place("make", missing);
    return Fd();
  });
  if (!directory) return;
  refuse_if_replaceable(directory.get(), path);
  if (!may_make_files_in(directory)) no_place("make a socket in", path);
}

RuntimeDirectory::~RuntimeDirectory() {
  remove_made();
}

void RuntimeDirectory::inherit(const std::vector<std::string>& made) {
  for (const std::string& directory : made) {
    const bool known = std::ranges::find(made_, directory) != made_.end();
    if (!known && is_on_the_way(directory, path_)) made_.push_back(directory);
  }
  std::ranges::sort(made_, {}, &std::string::size);
}

// Directories called "graced" are shared by instances, and whoever leaves last removes them: so where
// ours was made in one, that one is tried too.
void RuntimeDirectory::remove_made() noexcept {
  directory_.reset();
  for (auto directory = made_.rbegin(); directory != made_.rend(); ++directory) ::rmdir(directory->c_str());
  if (made_.empty()) return;
  const std::string above = made_.front().substr(0, made_.front().rfind('/'));
  if (above.ends_with("/graced")) ::rmdir(above.c_str());
  made_.clear();
}

}  // namespace graced
