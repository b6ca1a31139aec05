// How the kernel puts sockets into groups is in its net/core/sock_reuseport.c and net/ipv4/inet_hashtables.c.
#include "linux/takeover/parked.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <thread>

#include "linux/base/duplicate.h"
#include "linux/base/socket_option.h"
#include "linux/base/sys_error.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_beside.h"
#include "linux/steering/bpf_program.h"

namespace graced {

namespace {

// A graced that has ended, or was killed, leaves its array of sockets in the kernel, which lets it go some time
// after the program that reads it.
constexpr int tries = 200;
constexpr auto pause = std::chrono::milliseconds(5);

void set_reuseport(int fd, bool shared) {
  const int value = shared ? 1 : 0;
  if (::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value) < 0) throw sys_error("SO_REUSEPORT");
}

void give_to(int fd, uid_t owner) {
  if (::fchown(fd, owner, static_cast<gid_t>(-1)) < 0) throw sys_error("fchown of a socket");
}

}  // namespace

Parked::Parked(const std::vector<const RunningSocket*>& sockets, SteeringGroups& groups,
               const SteeringProbe& steering)
    : key_(sockets.front()->key), groups_(&groups) {
  for (const RunningSocket* s : sockets)
    sockets_.push_back({duplicate(s->fd.get()), s->inode, s->owner, s->had_reuseport});
  try {
    park(steering);
  } catch (...) {
    give_back();
    throw;
  }
}

Parked::~Parked() {
  if (!sockets_.empty()) give_back();
}

void Parked::park(const SteeringProbe& steering) {
  if (steering.method == SteeringMethod::none)
    throw sys_error_of(EOPNOTSUPP, "direct new connections to a server that runs already");
  for (Socket& s : sockets_) {
    // One group is one user's.
    if (s.owner != ::geteuid()) {
      give_to(s.fd.get(), ::geteuid());
      s.is_made_own = true;
    }
    set_reuseport(s.fd.get(), true);
  }
  for (const Socket& s : sockets_) groups_->join(key_, s.fd.get(), s.inode);
  detach_choice(sockets_.front().fd.get());
  if (direct_group()) return;

  const Fd parking = bind_beside(sockets_.front().fd.get());
  if (!steering.migrates) hide(parking.get(), Hidden::Way::drop_new_connections);
  if (::listen(parking.get(), SOMAXCONN) < 0) throw sys_error("listen beside a server that runs already");
  groups_->direct(key_, inodes());
}

// False: they are of no group yet. They are if they were bound with SO_REUSEPORT, or parked before.
bool Parked::direct_group() {
  for (int left = tries;; --left) {
    try {
      groups_->direct(key_, inodes());
      return true;
    } catch (const std::system_error& error) {
      if (error.code() == std::errc::invalid_argument) return false;
      if (left == 0 || error.code() != std::errc::device_or_resource_busy) throw;
    }
    std::this_thread::sleep_for(pause);
  }
}

std::vector<ino_t> Parked::inodes() const {
  std::vector<ino_t> inodes;
  for (const Socket& s : sockets_) inodes.push_back(s.inode);
  return inodes;
}

std::string Parked::give_back() noexcept {
  std::string failed;
  const auto attempt = [&](const auto& step) {
    try {
      step();
    } catch (const std::system_error& error) { failed = key_ + ": " + error.what(); }
  };
  for (const Socket& s : sockets_) {
    attempt([&] { detach_choice(s.fd.get()); });
    if (!s.had_reuseport) attempt([&] { set_reuseport(s.fd.get(), false); });
    if (s.is_made_own) attempt([&] { give_to(s.fd.get(), s.owner); });
  }
  groups_->forget(key_);
  sockets_.clear();
  return failed;
}

std::vector<Parked> park(const RunningServer& server, SteeringGroups& groups, const SteeringProbe& steering) {
  std::map<std::string, std::vector<const RunningSocket*>> by_key;
  for (const RunningSocket& s : server.sockets()) by_key[s.key].push_back(&s);
  std::vector<Parked> parked;
  parked.reserve(by_key.size());
  for (const auto& [key, sockets] : by_key) parked.emplace_back(sockets, groups, steering);
  return parked;
}

}  // namespace graced
