// In this order: directory, lock, what is stale removed, the socket.
#include "linux/control/instance.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "linux/base/sys_error.h"
#include "linux/base/umask_scope.h"
#include "linux/base/unix_address.h"
#include "linux/control/instance_lock.h"
#include "linux/control/kept_instance.h"
#include "linux/control/runtime_directory.h"
#include "linux/sockets/spare_link.h"

namespace graced {
namespace {

constexpr std::string_view notify_suffix = ".notify";
constexpr std::size_t longest_path = longest_unix_path - notify_suffix.size();

std::string absolute(const std::string& path) {
  std::string full = std::filesystem::absolute(path).lexically_normal();
  if (std::filesystem::path(full).filename().empty())
    throw std::runtime_error(fmt::format("--control {}: give the path of a file, not of a directory", path));
  if (full.size() > longest_path)
    throw std::runtime_error(fmt::format(
        "control path {} has {} characters, a socket's may have {}: give a shorter one with --control PATH",
        full, full.size(), longest_path));
  return full;
}

// Of one that absolute() has let through.
UnixAddress socket_address(const std::string& path) {
  return unix_path_address(path).value();
}

// False: there is nothing.
bool is_socket(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return false;
    throw sys_error("look at {}", path);
  }
  if (!S_ISSOCK(file.st_mode))
    throw std::runtime_error(fmt::format(
        "{} exists and is not a socket: remove it, or give another path with --control PATH", path));
  return true;
}

// We hold the lock, so a graced that listens here is dead, unless it was never a graced: then --control
// names something that is not ours to remove.
void remove_stale_socket(const std::string& path, int type) {
  if (!is_socket(path)) return;
  const Fd probe{::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!probe) throw sys_error("make a socket");
  const UnixAddress address = socket_address(path);
  if (::connect(probe.get(), address.get(), address.length) == 0 || errno != ECONNREFUSED)
    throw std::runtime_error(fmt::format(
        "{} belongs to another program that is running: give another path with --control PATH", path));
  if (::unlink(path.c_str()) != 0) throw sys_error("remove stale {}", path);
}

Fd listen_on(const std::string& path) {
  Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) throw sys_error("make a socket");
  const UnixAddress address = socket_address(path);
  {
    const UmaskScope everybody{0111};  // mode 0666 from the first moment
    if (::bind(socket.get(), address.get(), address.length) != 0)
      throw sys_error("no place for the control socket (--control gives another): bind {}", path);
  }
  if (::listen(socket.get(), SOMAXCONN) != 0) {
    const auto failure = sys_error("listen on {}", path);
    ::unlink(path.c_str());
    throw failure;
  }
  return socket;
}

}  // namespace

Instance::Instance(const std::string& name, const std::string& control_path)
    : control_path_(absolute(control_path)) {
  const std::filesystem::path path{control_path_};
  while (!lock_) {
    directory_.reset();  // before it is made again, or its end would remove the new one
    directory_ = std::make_unique<RuntimeDirectory>(path.parent_path());
    try {
      lock_ = std::make_unique<InstanceLock>(directory_->fd(), control_path_ + ".lock", name);
    } catch (const InstanceLock::FileVanished&) {
      // Another instance left and took the directory with it just now: make it again.
    }
  }
  directory_->inherit(lock_->left_behind());
  lock_->write_down(directory_->made());

  remove_stale_socket(control_path_, SOCK_STREAM);
  remove_stale_socket(notify_path(), SOCK_DGRAM);
  remove_stale_links(spare_path_place());
  listening_ = listen_on(control_path_);
}

Instance::Kept Instance::kept() const {
  return {control_path_, directory_->kept(), lock_->kept()};
}

Instance::Instance(Kept kept)
    : control_path_(std::move(kept.control_path)),
      directory_(std::make_unique<RuntimeDirectory>(std::move(kept.directory))),
      lock_(std::make_unique<InstanceLock>(directory_->fd(), kept.lock)) {}

void try_control_path(const std::string& control_path) {
  const std::string path = absolute(control_path);
  try_runtime_directory(std::filesystem::path(path).parent_path());
  is_socket(path);
}

Instance::~Instance() {
  listening_.reset();
  ::unlink(control_path_.c_str());
  ::unlink(notify_path().c_str());
}

std::string Instance::notify_path() const {
  return control_path_ + std::string(notify_suffix);
}

}  // namespace graced
