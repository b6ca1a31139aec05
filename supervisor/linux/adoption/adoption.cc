// The order matters: look at the worker, make sure that it is still the one that asked, act on what we hold
// by then, answer. What we know no better than the kernel is left to the kernel.
#include "linux/adoption/adoption.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <exception>
#include <utility>

#include "linux/base/duplicate.h"
#include "linux/base/inode.h"
#include "linux/base/socket_option.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/listen_error.h"
#include "linux/sockets/plain_tcp.h"

namespace graced {

namespace {

constexpr int most_at_once = 64;  // requests; others want to be heard too

bool set_option(int fd, int name, int value) {
  return ::setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) == 0;
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

in_port_t port_of_bound(int fd) {
  SocketAddress local;
  return ::getsockname(fd, local.get(), &local.length) == 0 ? port_of(local) : 0;
}

// Else the kernel chooses a name.
bool is_named(const SocketAddress& address) {
  return address.storage.ss_family == AF_UNIX && address.length > offsetof(sockaddr_un, sun_path) &&
         address.length <= sizeof(sockaddr_un);
}

}  // namespace

Adoption::Adoption(Fd notifications, bool wait_killable, std::uint64_t generation, AdoptedNames& names,
                   std::vector<Predeclared> predeclared, Arrives arrives, TakesDatagrams takes_datagrams)
    : worker_(std::move(notifications), wait_killable, std::move(predeclared)),
      unix_(worker_, generation, names),
      arrives_(std::move(arrives)),
      takes_datagrams_(std::move(takes_datagrams)) {}

Adoption::~Adoption() = default;

void Adoption::answer() {
  for (int count = 0; count < most_at_once; ++count) {
    const auto asked = worker_.next();
    if (!asked) return;
    const AdoptionRequest request = request_of(*asked);
    Verdict verdict;
    try {
      verdict = verdict_on(request);
    } catch (const std::exception& error) { worker_.note(error.what()); }
    worker_.answer(request, verdict);
  }
}

Adoption::Verdict Adoption::verdict_on(const AdoptionRequest& request) {
  switch (request.call) {
    case AdoptionRequest::Call::bind:
      return on_bind(request);
    case AdoptionRequest::Call::listen:
      return on_listen(request);
    case AdoptionRequest::Call::unlink:
      return unix_.on_unlink(request);
    case AdoptionRequest::Call::rename:
    case AdoptionRequest::Call::link:
      return unix_.on_move(request);
    case AdoptionRequest::Call::other:
      break;
  }
  return std::nullopt;
}

Adoption::Verdict Adoption::on_bind(const AdoptionRequest& request) {
  const auto where = address_of(request);
  if (!where) {
    if (errno == EPERM) worker_.note_refused(request, errno);
    return std::nullopt;
  }
  if (port_of(*where) == 0 && !is_named(*where)) return std::nullopt;
  worker_.begins_bind(request, *where);

  Fd socket = copy_descriptor(request.thread, request.fd);
  if (!socket) {
    if (errno != EBADF && errno != ESRCH) worker_.note_refused(request, errno);
    return std::nullopt;
  }
  if (!worker_.still_asks(request)) return 0;
  if (socket_option(socket.get(), SOL_SOCKET, SO_DOMAIN) != where->storage.ss_family) return std::nullopt;

  const AddressKind kind = kind_of(socket.get());
  switch (kind) {
    case AddressKind::tcp:
      return bind_tcp(request, *where, std::move(socket));
    case AddressKind::unix_stream:
      return unix_.on_bind(request, *where, std::move(socket));
    case AddressKind::udp:
      return bind_udp(request, *where, std::move(socket));
    case AddressKind::unix_dgram:
      worker_.pass(address_text(*where, kind));  // others, when they listen
      break;
    case AddressKind::unix_seqpacket:
    case AddressKind::inherited:
      break;
  }
  return std::nullopt;
}

Adoption::Verdict Adoption::bind_tcp(const AdoptionRequest& request, const SocketAddress& where, Fd socket) {
  const std::string key = group_key(socket.get(), where);
  if (key.empty()) return std::nullopt;  // another protocol
  if (port_of_bound(socket.get()) != 0) return worker_.bind_again(inode_of(socket.get()));
  if (const auto* ours = worker_.predeclared(key)) return worker_.take_predeclared(request, *ours, socket);
  note_near_miss(where);
  const Arrival arrives = arrival(key, socket.get(), where);
  if (arrives.how == Arrival::How::refused) return EADDRINUSE;

  if (is_in_the_way(key, socket.get())) return EADDRINUSE;
  if (is_mptcp(socket.get())) socket = made_plain(request, where, std::move(socket));
  if (const int failed = bind_in_group(where, socket.get(), arrives.reuse_address); failed != 0) return failed;
  worker_.add(request, key, address_text(where, AddressKind::tcp), inode_of(socket.get()));
  return 0;
}

// The group is our doing: without it, the worker's second socket would not get the address.
bool Adoption::is_in_the_way(const std::string& key, int fd) {
  if (socket_option(fd, SOL_SOCKET, SO_REUSEPORT) == 1) return false;
  const bool reuses = socket_option(fd, SOL_SOCKET, SO_REUSEADDR) == 1;
  const auto in_the_way = [&](const AdoptedSocket& s) {
    return s.key == key && (!reuses || (s.listening && !s.datagrams));
  };
  if (std::ranges::none_of(worker_.sockets(), in_the_way)) return false;
  worker_.forget_closed();
  return std::ranges::any_of(worker_.sockets(), in_the_way);
}

// 0 or an errno.
int Adoption::bind_in_group(const SocketAddress& where, int fd, bool reuse_address) {
  const bool had_group = socket_option(fd, SOL_SOCKET, SO_REUSEPORT) == 1;
  if (!had_group) set_option(fd, SO_REUSEPORT, 1);
  if (reuse_address) set_option(fd, SO_REUSEADDR, 1);
  struct stat owner {};
  // One group is one user's.
  if (::fstat(fd, &owner) == 0 && owner.st_uid != ::geteuid() &&
      ::fchown(fd, ::geteuid(), static_cast<gid_t>(-1)) != 0) {
    worker_.note(fmt::format(
        "sockets of user {} cannot be made graced's own ({}): the next generation will not get their "
        "addresses (graced needs CAP_CHOWN)",
        owner.st_uid, std::generic_category().message(errno)));
  }
  if (::bind(fd, where.get(), where.length) == 0) return 0;
  const int code = errno;
  if (!had_group) set_option(fd, SO_REUSEPORT, 0);
  return code;
}

// From here on it hears. What is bound later, as by a client of others or for a single client that it is then
// connected to, is the kernel's affair.
Adoption::Verdict Adoption::bind_udp(const AdoptionRequest& request, const SocketAddress& where, Fd socket) {
  const std::string key = datagram_key(socket.get(), where);
  const bool known = std::ranges::count(worker_.sockets(), key, &AdoptedSocket::key) > 0;
  if (known) worker_.forget_closed();
  if (!key.empty() && port_of_bound(socket.get()) != 0) return worker_.bind_again(inode_of(socket.get()));
  const auto* ours = worker_.predeclared(key);
  if (!ours && (key.empty() || !takes_datagrams_ || !takes_datagrams_(key, socket.get(), where))) {
    if (std::ranges::count(worker_.sockets(), key, &AdoptedSocket::key) == 0)
      worker_.pass(address_text(where, AddressKind::udp));
    return std::nullopt;
  }

  AdoptedSocket* adopted = nullptr;
  if (ours) {
    const Verdict verdict = worker_.take_predeclared(request, *ours, socket);
    if (verdict != 0) return verdict;
    socket = duplicate(ours->fd);
    adopted = &*worker_.find(inode_of(socket.get()));
  } else {
    if (is_in_the_way(key, socket.get())) return EADDRINUSE;
    if (const int failed = bind_in_group(where, socket.get(), false); failed != 0) return failed;
    adopted = &worker_.add(request, key, address_text(where, AddressKind::udp), inode_of(socket.get()));
  }
  adopted->datagrams = adopted->listening = true;
  adopted->fd = std::move(socket);
  return 0;
}

// The socket that is the worker's from now on; the same if it could not be replaced.
Fd Adoption::made_plain(const AdoptionRequest& request, const SocketAddress& where, Fd mptcp) {
  Fd plain = plain_tcp_like(mptcp.get());
  int failed = plain ? 0 : errno;
  if (plain) {
    ::fcntl(plain.get(), F_SETFL, ::fcntl(mptcp.get(), F_GETFL));
    failed = worker_.replace(request, plain.get());
  }
  if (failed == 0) {
    worker_.note(
        "MPTCP listeners become plain TCP ones, since the kernel steers only those (a Go program says the same "
        "with "
        "GODEBUG=multipathtcp=0)");
    return plain;
  }
  worker_.note(fmt::format(
      "{} is an MPTCP listener and could not be made a plain TCP one ({}): its connections cannot be "
      "steered to the newest generation (in Go: GODEBUG=multipathtcp=0)",
      address_text(where, AddressKind::tcp), std::generic_category().message(failed)));
  return mptcp;
}

Adoption::Verdict Adoption::on_listen(const AdoptionRequest& request) {
  Fd socket = copy_descriptor(request.thread, request.fd);
  if (!socket) {
    if (errno != EBADF && errno != ESRCH) worker_.note_refused(request, errno);
    return std::nullopt;
  }
  if (!worker_.still_asks(request)) return 0;

  const ino_t inode = inode_of(socket.get());
  const auto adopted = worker_.find(inode);
  if (adopted == worker_.sockets().end()) {
    const bool ours =
        std::ranges::any_of(worker_.all_predeclared(), [&](const auto& p) { return inode_of(p.fd) == inode; });
    const AddressKind kind = kind_of(socket.get());
    const int type = socket_option(socket.get(), SOL_SOCKET, SO_TYPE);
    SocketAddress local;
    if (!ours && (type == SOCK_STREAM || type == SOCK_SEQPACKET) &&
        ::getsockname(socket.get(), local.get(), &local.length) == 0) {
      worker_.pass(address_text(local, kind));
    }
    return std::nullopt;
  }
  // Of ours, the queue is as long as we have said.
  if (!adopted->predeclared) {
    if (const int failed = start_listening(*adopted, socket.get(), request.number); failed != 0) return failed;
  }
  adopted->holder = {request.thread, request.fd};
  if (adopted->listening) return 0;
  adopted->listening = true;
  worker_.changed();
  unix_.listens(*adopted, socket);
  adopted->fd = std::move(socket);
  // A worker that opens a second one has perhaps closed the first, which would go on queueing for nobody.
  if (std::ranges::count(worker_.sockets(), adopted->key, &AdoptedSocket::key) > 1) worker_.forget_closed();
  return 0;
}

Adoption::Arrival Adoption::arrival(const std::string& key, int fd, const SocketAddress& where) {
  if (!arrives_) return {};
  Arrival arrival = arrives_(key, fd, where);
  if (!arrival.note.empty()) worker_.note(arrival.note);
  return arrival;
}

// 0 or an errno. What is to be hidden must be so before the kernel can find it.
int Adoption::start_listening(AdoptedSocket& adopted, int fd, int backlog) {
  if (!adopted.listening && adopted.steerable()) {
    SocketAddress where;
    if (::getsockname(fd, where.get(), &where.length) != 0) return errno;
    switch (arrival(adopted.key, fd, where).how) {
      case Arrival::How::open:
        break;
      case Arrival::How::unseen:
        adopted.hidden = hide(fd, Hidden::Way::unseen);
        break;
      case Arrival::How::drop_new_connections:
        adopted.hidden = hide(fd, Hidden::Way::drop_new_connections);
        break;
      case Arrival::How::refused:
        return EADDRINUSE;
    }
  }
  if (::listen(fd, backlog) == 0) return 0;
  const int code = errno;
  if (!adopted.listening && adopted.hidden) graced::show(fd, *std::exchange(adopted.hidden, std::nullopt));
  return code;
}

void Adoption::show() {
  std::exception_ptr failed;
  for (AdoptedSocket& s : worker_.sockets()) {
    if (!s.hidden || !s.fd) continue;
    try {
      graced::show(s.fd.get(), *std::exchange(s.hidden, std::nullopt));
    } catch (const std::system_error&) { failed = std::current_exception(); }
  }
  if (failed) std::rethrow_exception(failed);
}

// 0.0.0.0 and [::] look alike to people, but a server of one does not expect the other's connections.
void Adoption::note_near_miss(const SocketAddress& where) {
  for (const Predeclared& ours : worker_.all_predeclared()) {
    if (port_of_bound(ours.fd) != port_of(where)) continue;
    const std::string wanted = address_text(where, AddressKind::tcp);
    worker_.note(fmt::format(
        "the worker binds {}, but {} is what --listen has: it gets that socket only with --listen {}", wanted,
        bound_address(ours.fd, AddressKind::tcp), wanted.substr(wanted.find(' ') + 1)));
  }
}

}  // namespace graced
