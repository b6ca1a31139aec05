// The order matters: look at the worker, make sure that it is still the one that asked, act on what we hold
// by then, answer. What we know no better than the kernel is left to the kernel.
#include "linux/adoption.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "core/printable.h"
#include "linux/listen_error.h"
#include "linux/plain_tcp.h"
#include "linux/process.h"

namespace graced {

namespace {

constexpr int most_at_once = 64;         // requests; others want to be heard too
constexpr std::size_t most_listed = 64;  // of what passed through

int option_of(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool set_option(int fd, int name, int value) {
  return ::setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) == 0;
}

ino_t inode_of(int fd) {
  struct stat s {};
  return ::fstat(fd, &s) == 0 ? s.st_ino : 0;
}

AddressKind kind_of(int fd) {
  try {
    return socket_kind(fd, "");
  } catch (const ListenError&) { return AddressKind::inherited; }
}

// 0 where there is none, as for an address that is cut short.
in_port_t port_of(const SocketAddress& address) {
  constexpr socklen_t shortest_v6 = offsetof(sockaddr_in6, sin6_scope_id);
  if (address.storage.ss_family == AF_INET && address.length >= sizeof(sockaddr_in)) {
    return reinterpret_cast<const sockaddr_in*>(address.get())->sin_port;
  }
  if (address.storage.ss_family == AF_INET6 && address.length >= shortest_v6) {
    return reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_port;
  }
  return 0;
}

bool is_bound(int fd) {
  SocketAddress local;
  return ::getsockname(fd, local.get(), &local.length) == 0 && port_of(local) != 0;
}

bool is_connected(int fd) {
  SocketAddress peer;
  return ::getpeername(fd, peer.get(), &peer.length) == 0;
}

}  // namespace

Adoption::Adoption(Fd notifications, std::uint64_t generation, AdoptedNames& names,
                   std::vector<Predeclared> predeclared)
    : notifications_(std::move(notifications)),
      generation_(generation),
      names_(names),
      predeclared_(std::move(predeclared)) {}

Adoption::~Adoption() = default;

void Adoption::answer() {
  for (int count = 0; count < most_at_once; ++count) {
    const auto asked = notifications_.next();
    if (!asked) return;
    const AdoptionRequest request = request_of(*asked);
    Verdict verdict;
    switch (request.call) {
      case AdoptionRequest::Call::bind:
        verdict = on_bind(request);
        break;
      case AdoptionRequest::Call::listen:
        verdict = on_listen(request);
        break;
      case AdoptionRequest::Call::unlink:
      case AdoptionRequest::Call::other:
        break;
    }
    if (!verdict) {
      notifications_.pass(request.id);
    } else if (notifications_.answer(request.id, *verdict)) {
      unanswered_ = 0;
    }
  }
}

Adoption::Verdict Adoption::on_bind(const AdoptionRequest& request) {
  const auto where = address_of(request);
  if (!where) {
    if (errno == EPERM) note_refused(request);
    return std::nullopt;
  }
  if (port_of(*where) == 0) return std::nullopt;

  Fd socket = copy_descriptor(request.thread, request.fd);
  if (!socket) {
    if (errno != EBADF && errno != ESRCH) note_refused(request);
    return std::nullopt;
  }
  if (!notifications_.still_asked(request.id)) return 0;
  if (option_of(socket.get(), SO_DOMAIN) != where->storage.ss_family) return std::nullopt;

  const AddressKind kind = kind_of(socket.get());
  if (kind == AddressKind::tcp) return bind_tcp(request, *where, std::move(socket));
  if (kind == AddressKind::udp) pass(address_text(*where, kind));
  return std::nullopt;
}

Adoption::Verdict Adoption::bind_tcp(const AdoptionRequest& request, const SocketAddress& where, Fd socket) {
  const std::string key = group_key(socket.get(), where);
  if (key.empty()) return std::nullopt;  // another protocol
  ino_t inode = inode_of(socket.get());
  if (is_bound(socket.get())) {
    // Done already, when the worker was interrupted before it heard so.
    const auto known = find(inode);
    return known != sockets_.end() && unanswered_ == inode && known->key == key ? Verdict(0) : std::nullopt;
  }

  const auto ours = std::ranges::find(predeclared_, key, &Predeclared::key);
  if (ours != predeclared_.end()) {
    if (const auto failed = put_in_place(request, ours->fd, ::fcntl(socket.get(), F_GETFL)); failed != 0)
      return failed;
    inode = inode_of(ours->fd);
    if (find(inode) != sockets_.end()) return 0;
    AdoptedSocket adopted;
    adopted.predeclared = true;
    adopted.key = key;
    adopted.address = address_text(where, AddressKind::tcp);
    adopted.inode = inode;
    adopted.holder = {request.thread, request.fd};
    sockets_.push_back(std::move(adopted));
    ++changes_;
    return 0;
  }

  const bool had_group = option_of(socket.get(), SO_REUSEPORT) == 1;
  const bool reuses = option_of(socket.get(), SO_REUSEADDR) == 1;
  const auto in_the_way = [&](const AdoptedSocket& s) { return s.key == key && (s.listening || !reuses); };
  if (!had_group && std::ranges::any_of(sockets_, in_the_way)) {
    // The group is our doing: without it, the worker's second socket would not get the address.
    forget_closed();
    if (std::ranges::any_of(sockets_, in_the_way)) return EADDRINUSE;
  }

  if (is_mptcp(socket.get())) {
    const int flags = ::fcntl(socket.get(), F_GETFL);
    Fd plain = plain_tcp_like(socket.get());
    const int failed = plain ? put_in_place(request, plain.get(), flags).value_or(0) : errno;
    if (failed == 0) {
      socket = std::move(plain);
      inode = inode_of(socket.get());
      note(
          "the worker's MPTCP listeners become plain TCP ones, since the kernel steers only those (a Go "
          "program "
          "says the same with GODEBUG=multipathtcp=0)");
    } else {
      note(
          fmt::format("{} is an MPTCP listener and could not be made a plain TCP one ({}): new connections are "
                      "not steered to the newest generation",
                      address_text(where, AddressKind::tcp), std::generic_category().message(failed)));
    }
  }

  if (!had_group) set_option(socket.get(), SO_REUSEPORT, 1);
  struct stat owner {};
  // One group is one user's.
  if (::fstat(socket.get(), &owner) == 0 && owner.st_uid != ::geteuid() &&
      ::fchown(socket.get(), ::geteuid(), static_cast<gid_t>(-1)) != 0) {
    note(fmt::format(
        "sockets of user {} cannot be made graced's own ({}): the next generation will not get their "
        "addresses (graced needs CAP_CHOWN)",
        owner.st_uid, std::generic_category().message(errno)));
  }
  if (::bind(socket.get(), where.get(), where.length) != 0) {
    const int code = errno;
    if (!had_group) set_option(socket.get(), SO_REUSEPORT, 0);
    return code;
  }

  AdoptedSocket adopted;
  adopted.key = key;
  adopted.address = address_text(where, AddressKind::tcp);
  adopted.inode = inode;
  adopted.holder = {request.thread, request.fd};
  sockets_.push_back(std::move(adopted));
  unanswered_ = inode;
  ++changes_;
  if (sockets_.size() >= look_again_at_) {
    forget_closed();
    look_again_at_ = std::max<std::size_t>(64, 2 * sockets_.size());
  }
  return 0;
}

Adoption::Verdict Adoption::on_listen(const AdoptionRequest& request) {
  Fd socket = copy_descriptor(request.thread, request.fd);
  if (!socket) {
    if (errno != EBADF && errno != ESRCH) note_refused(request);
    return std::nullopt;
  }
  if (!notifications_.still_asked(request.id)) return 0;

  const ino_t inode = inode_of(socket.get());
  const auto adopted = find(inode);
  if (adopted == sockets_.end()) {
    const bool ours = std::ranges::any_of(predeclared_, [&](const auto& p) { return inode_of(p.fd) == inode; });
    const AddressKind kind = kind_of(socket.get());
    if (!ours && takes_connections(kind)) pass(bound_address(socket.get(), kind));
    return std::nullopt;
  }
  if (!adopted->predeclared && ::listen(socket.get(), request.number) != 0) return errno;
  adopted->holder = {request.thread, request.fd};
  if (adopted->listening) return 0;
  adopted->listening = true;
  if (!adopted->fd) adopted->fd = std::move(socket);
  ++changes_;
  return 0;
}

// File status flags belong to the open file, so the worker's go along.
Adoption::Verdict Adoption::put_in_place(const AdoptionRequest& request, int ours, int flags) {
  if (flags >= 0) ::fcntl(ours, F_SETFL, flags);
  return notifications_.replace(request.id, ours, request.fd, closes_on_exec(request.thread, request.fd));
}

void Adoption::forget_closed() {
  std::set<ino_t> unsure;
  for (const AdoptedSocket& s : sockets_) {
    if (!s.listening || !holds(s.holder, s.inode)) unsure.insert(s.inode);
  }
  if (unsure.empty()) return;
  const auto holders = holders_of(unsure);
  if (!holders) return;
  const auto closed = [&](AdoptedSocket& s) {
    if (!unsure.contains(s.inode)) return false;
    const auto holder = holders->find(s.inode);
    if (holder == holders->end()) return true;
    s.holder = holder->second;
    if (s.listening) return false;
    const Fd socket = copy_descriptor(s.holder.thread, s.holder.number);
    return socket && inode_of(socket.get()) == s.inode && is_connected(socket.get());
  };
  changes_ += std::erase_if(sockets_, closed);
}

std::vector<std::string> Adoption::take_notes() {
  return std::exchange(notes_, {});
}

std::vector<AdoptedSocket>::iterator Adoption::find(ino_t inode) {
  return std::ranges::find(sockets_, inode, &AdoptedSocket::inode);
}

void Adoption::pass(const std::string& address) {
  if (passed_through_.size() >= most_listed || std::ranges::count(passed_through_, address) != 0) return;
  passed_through_.push_back(address);
}

void Adoption::note(const std::string& text) {
  if (noted_.size() < most_listed && noted_.insert(text).second) notes_.push_back(text);
}

void Adoption::note_refused(const AdoptionRequest& request) {
  const int code = errno;
  note(fmt::format("what process {} ({}) binds is not handed off: {}", request.thread,
                   printable(name_of(request.thread)),
                   code == EPERM ? "graced may not look into it (it needs CAP_SYS_PTRACE)"
                                 : std::generic_category().message(code)));
}

}  // namespace graced
