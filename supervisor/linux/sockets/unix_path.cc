// Who may connect, whose file it is, and whether a socket is bound to it.
#include "linux/sockets/unix_path.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "linux/base/account.h"
#include "linux/base/fd.h"
#include "linux/base/umask_scope.h"
#include "linux/base/unix_address.h"
#include "linux/sockets/directory_lock.h"
#include "linux/sockets/listen_error.h"
#include "linux/sockets/listen_socket.h"
#include "linux/sockets/port_holder.h"

namespace graced {
namespace {

bool is_abstract(const std::string& path) {
  return path.starts_with('@');
}

UnixAddress address_of(const std::string& path, const std::string& address) {
  if (const auto found = unix_address(path)) return *found;
  throw ListenError(ENAMETOOLONG, fmt::format("{}: the path has {} bytes, a unix socket may have {}", address,
                                              path.size(), longest_unix_path + (is_abstract(path) ? 1 : 0)));
}

// Leads to the very file an O_PATH descriptor is open on, whatever happens to its name meanwhile.
std::string by_descriptor(const Fd& file) {
  return fmt::format("/proc/self/fd/{}", file.get());
}

// Connecting with a datagram socket asks the kernel whether anybody is bound there without showing up
// in a server's queue: EPROTOTYPE says "yes, but another type". ECONNREFUSED means nobody, and unlike
// with a stream socket not also "bound, about to listen".
bool somebody_bound(const UnixAddress& where, const std::string& address) {
  const Fd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) throw listen_error(errno, "socket for " + address);
  if (::connect(probe.get(), where.get(), where.length) == 0) return true;
  switch (errno) {
    case ECONNREFUSED:
      return false;
    case EPROTOTYPE:
    case EPERM:
      return true;  // a datagram socket that listens to one peer only
    case EACCES:
      throw ListenError(
          EACCES, fmt::format("{}: the socket exists and this user may not ask whether it is in use", address));
    default:
      throw listen_error(errno, address);
  }
}

[[noreturn]] void in_use(const ListenSpec& spec) {
  const std::string address = spec.address();
  const UnixAddress where = address_of(spec.path, address);
  auto holder = holder_of_unix(spec.path);
  if (!holder) holder = holder_behind(where.get(), where.length, socket_type(spec.kind));
  const std::string_view hint = holder && holder->pid == ::getpid() ? " (is it listed twice?)" : "";
  throw ListenError(EADDRINUSE, fmt::format("bind {}: address in use by {}{}", address,
                                            holder ? holder->text() : "another process", hint))
      .perhaps_by_graced(!holder || holder->is_graced());
}

[[noreturn]] void bind_failed(int code, const ListenSpec& spec) {
  namespace fs = std::filesystem;
  const std::string step = "bind " + spec.address();
  if (is_abstract(spec.path)) throw listen_error(code, step);
  const std::string directory = fs::absolute(spec.path).parent_path();
  switch (code) {
    case ENOENT:
      throw ListenError(code,
                        fmt::format("{}: directory {} does not exist (create it, or let the service manager, "
                                    "as with RuntimeDirectory=)",
                                    step, directory));
    case EACCES:
      throw ListenError(code, fmt::format("{}: no permission to create a file in {}", step, directory));
    default:
      throw listen_error(code, step);
  }
}

Fd open_path(const std::string& path) {
  return Fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

struct stat stat_of(const Fd& file, const std::string& address) {
  struct stat result {};
  if (::fstat(file.get(), &result) < 0) throw listen_error(errno, address);
  return result;
}

// Throws unless what stands in the way is a socket file that nobody is bound to. Empty: nothing does.
Fd stale_socket(const ListenSpec& spec) {
  const std::string address = spec.address();
  Fd file = open_path(spec.path);
  if (!file && errno == ENOENT) return file;
  if (!file) throw listen_error(errno, address);
  const struct stat found = stat_of(file, address);
  if (!S_ISSOCK(found.st_mode)) {
    throw ListenError(EADDRINUSE,
                      fmt::format("{}: {} exists and is not a socket (remove it, or choose another path)",
                                  address, spec.path));
  }
  if (somebody_bound(address_of(by_descriptor(file), address), address)) in_use(spec);
  return file;
}

void remove_stale(const ListenSpec& spec) {
  const std::string address = spec.address();
  const Fd file = stale_socket(spec);
  if (!file) return;
  const struct stat found = stat_of(file, address);

  // Programs that know no lock unlink and bind as they like: at least nothing newer is taken from them.
  struct stat now {};
  if (::lstat(spec.path.c_str(), &now) < 0 || file_id(now) != file_id(found)) return;
  if (::unlink(spec.path.c_str()) < 0 && errno != ENOENT) {
    throw listen_error(errno, fmt::format("{}: remove the stale socket file", address));
  }
}

struct Owner {
  uid_t user;
  gid_t group;
};

Owner owner(const ListenOptions& options, const std::string& address) {
  try {
    return {options.user ? find_user(*options.user) : ::geteuid(),
            options.group ? find_group(*options.group) : ::getegid()};
  } catch (const std::runtime_error& error) {
    throw ListenError(EINVAL, fmt::format("{}: {}", address, error.what()));
  }
}

}  // namespace

UnixPath::UnixPath(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) < 0 || !S_ISSOCK(file.st_mode)) {
    throw ListenError(EADDRINUSE, fmt::format("unix:{}: another process took the path away", path));
  }
  path_ = std::filesystem::absolute(path);
  id_ = file_id(file);
}

UnixPath::UnixPath(UnixPath&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      id_(other.id_),
      spare_(std::move(other.spare_)),
      aside_(other.aside_) {}

UnixPath& UnixPath::operator=(UnixPath&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  id_ = other.id_;
  spare_ = std::move(other.spare_);
  aside_ = other.aside_;
  return *this;
}

UnixPath::Place UnixPath::place() const {
  if (aside_) return Place::ours;
  struct stat file {};
  // Without a link it is being removed, though it is still found.
  if (::lstat(path_.c_str(), &file) != 0 || file.st_nlink == 0) return Place::missing;
  return file_id(file) == id_ ? Place::ours : Place::taken;
}

// A link to it waits until whoever removes the name has finished, and lstat(2) does not.
UnixPath::PutBack UnixPath::put_back_if_missing() const {
  PutBack found{Place::missing};
  for (int attempt = 0; attempt < 4; ++attempt) {
    found.error = put_back();
    if (found.error == 0) return {.place = Place::ours, .put_back = true};
    found.place = place();
    if (found.place != Place::missing) return {.place = found.place};
    if (found.error != EEXIST) break;  // else it was removed since
  }
  return found;
}

int UnixPath::keep_spare(const std::string& place) {
  if (!spare_) spare_ = SpareLink(path_, id_, place);
  return spare_ ? 0 : spare_.why();
}

int UnixPath::step_aside(const std::string& spare_place) {
  if (const int failed = keep_spare(spare_place); failed != 0) return failed;
  if (place() == Place::ours && ::unlink(path_.c_str()) != 0) return errno;
  aside_ = true;
  return 0;
}

int UnixPath::appear() {
  if (!aside_) return 0;
  aside_ = false;
  return put_back();
}

void UnixPath::leave() {
  path_.clear();
  spare_.remove();
}

void UnixPath::remove() noexcept {
  if (path_.empty()) return;
  if (!aside_ && place() == Place::ours) ::unlink(path_.c_str());
  path_.clear();
  spare_.remove();
}

void UnixPath::set_access(const ListenOptions& options, const std::string& address) const {
  const auto [user, group] = owner(options, address);
  const Fd file = open_path(path_);
  if (!file) throw listen_error(errno, address);
  const struct stat now = stat_of(file, address);
  if (file_id(now) != id_) { throw ListenError(EADDRINUSE, address + ": another process took the path away"); }
  // The owner first: a mode for the group is meant for the group asked for.
  if ((now.st_uid != user || now.st_gid != group) &&
      ::fchownat(file.get(), "", user, group, AT_EMPTY_PATH) < 0) {
    throw listen_error(errno, fmt::format("{}: options user and group", address),
                       errno == EPERM ? "giving a file away needs root" : "");
  }
  if (::chmod(by_descriptor(file).c_str(), options.mode.value_or(0666)) < 0) {
    throw listen_error(errno, fmt::format("{}: option mode", address));
  }
}

UnixPath bind_unix(int fd, const ListenSpec& spec) {
  const std::string address = spec.address();
  const UnixAddress where = address_of(spec.path, address);
  std::optional<DirectoryLock> lock;
  if (!is_abstract(spec.path)) lock.emplace(spec.path);
  // Not for ever: whoever keeps putting sockets there is using the address.
  for (int attempt = 0; attempt < 4; ++attempt) {
    const int code = [&] {
      const UmaskScope nobody{0777};  // but root can connect before the mode is set
      return ::bind(fd, where.get(), where.length) == 0 ? 0 : errno;
    }();
    if (code == 0) {
      if (is_abstract(spec.path)) return {};
      UnixPath path(spec.path);
      path.set_access(spec.options, address);
      return path;
    }
    if (code != EADDRINUSE) bind_failed(code, spec);
    if (is_abstract(spec.path)) in_use(spec);
    remove_stale(spec);
  }
  in_use(spec);
}

void try_unix_path(const ListenSpec& spec) {
  const std::string address = spec.address();
  address_of(spec.path, address);
  owner(spec.options, address);
  if (is_abstract(spec.path)) return;
  const std::string directory = std::filesystem::absolute(spec.path).parent_path();
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0) bind_failed(errno, spec);
  stale_socket(spec);
}

bool is_stale_socket(const std::string& path) {
  const Fd file = open_path(path);
  struct stat found {};
  if (!file || ::fstat(file.get(), &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
  try {
    return !somebody_bound(address_of(by_descriptor(file), path), path);
  } catch (const ListenError&) { return false; }
}

}  // namespace graced
