// The kernel's other half is compute_score() in net/ipv4/inet_hashtables.c, which leaves out a
// socket that is bound to another interface than the one a packet has come in by. bind(2) takes it for a socket
// like any other: who shares its address must be allowed to.
#include "linux/sockets/hiding.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>

#include "linux/base/fd.h"
#include "linux/base/socket_option.h"
#include "linux/base/sys_error.h"

namespace graced {

namespace {

// Numbers are given from 1 upwards. No interface needs to have this one, and one that did would carry nothing
// of ours.
constexpr int no_interface = INT_MAX;

constexpr int most_hops = 255;

bool is_v6(int fd) {
  return socket_option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
}

bool set(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

void give_back_hops(int fd, int level, int name, int before) {
  if (socket_option(fd, level, name) == most_hops && !set(fd, level, name, before))
    throw sys_error("let connections through again");
}

}  // namespace

Hidden::Way way_to_hide_for_a_while() {
  const Fd trial(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool returns = trial && set(trial.get(), SOL_SOCKET, SO_BINDTOIFINDEX, no_interface) &&
                       set(trial.get(), SOL_SOCKET, SO_BINDTOIFINDEX, 0);
  return returns ? Hidden::Way::unseen : Hidden::Way::drop_new_connections;
}

Hidden hide(int fd, Hidden::Way way) {
  Hidden hidden{.way = way};
  switch (way) {
    case Hidden::Way::unseen:
      hidden.interface = interface_of(fd);
      if (!set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, no_interface)) throw sys_error("hide a listening socket");
      break;
    case Hidden::Way::drop_new_connections:
      // A socket for IPv6 may hear IPv4 as well.
      hidden.hops_v4 = socket_option(fd, IPPROTO_IP, IP_MINTTL);
      if (!set(fd, IPPROTO_IP, IP_MINTTL, most_hops)) throw sys_error("keep connections out");
      if (!is_v6(fd)) break;
      hidden.hops_v6 = socket_option(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT);
      if (!set(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, most_hops)) throw sys_error("keep connections out");
      break;
  }
  return hidden;
}

std::string dropped_note(const std::string& address) {
  return fmt::format(
      "{} is new: until its generation serves, its clients are kept waiting, not refused (graced lacks "
      "CAP_NET_RAW)",
      address);
}

// What the worker has changed since is its own.
void show(int fd, const Hidden& hidden) {
  switch (hidden.way) {
    case Hidden::Way::unseen:
      if (is_unseen(fd) && !set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, hidden.interface))
        throw sys_error("show a listening socket again");
      break;
    case Hidden::Way::drop_new_connections:
      give_back_hops(fd, IPPROTO_IP, IP_MINTTL, hidden.hops_v4);
      if (is_v6(fd)) give_back_hops(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, hidden.hops_v6);
      break;
  }
}

bool is_unseen(int fd) {
  return socket_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX) == no_interface;
}

bool show_again(int fd) {
  return !is_unseen(fd) || set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 0);
}

int interface_of(int fd) {
  const int interface = socket_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX);
  return interface > 0 && interface != no_interface ? interface : 0;
}

}  // namespace graced
