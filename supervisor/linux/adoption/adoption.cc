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

#include "core/printable.h"
#include "linux/base/inode.h"
#include "linux/base/socket_option.h"
#include "linux/proc/look_rights.h"
#include "linux/proc/process.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/listen_error.h"
#include "linux/sockets/plain_tcp.h"

namespace graced {

namespace {

constexpr int most_at_once = 64;         // requests; others want to be heard too
constexpr std::size_t most_listed = 64;  // of what passed through

bool set_option(int fd, int name, int value) {
  return ::setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) == 0;
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

in_port_t port_of_bound(int fd) {
  SocketAddress local;
  return ::getsockname(fd, local.get(), &local.length) == 0 ? port_of(local) : 0;
}

// Else the kernel chooses a name.
bool is_named(const SocketAddress& address) {
  return address.storage.ss_family == AF_UNIX && address.length > offsetof(sockaddr_un, sun_path) &&
         address.length <= sizeof(sockaddr_un);
}

bool is_connected(int fd) {
  SocketAddress peer;
  return ::getpeername(fd, peer.get(), &peer.length) == 0;
}

}  // namespace

Adoption::Adoption(Fd notifications, bool wait_killable, std::uint64_t generation, AdoptedNames& names,
                   std::vector<Predeclared> predeclared, Arrives arrives)
    : notifications_(std::move(notifications)),
      wait_killable_(wait_killable),
      generation_(generation),
      names_(names),
      worker_(names.new_worker()),
      predeclared_(std::move(predeclared)),
      arrives_(std::move(arrives)) {}

Adoption::~Adoption() = default;

void Adoption::answer() {
  for (int count = 0; count < most_at_once; ++count) {
    const auto asked = notifications_.next();
    if (!asked) return;
    const AdoptionRequest request = request_of(*asked);
    this_bind_ = {};
    Verdict verdict;
    try {
      verdict = verdict_on(request);
    } catch (const std::exception& error) { note(error.what()); }
    const bool answered =
        verdict ? notifications_.answer(request.id, *verdict) : notifications_.pass(request.id);
    // Without wait_killable even an answer that the kernel has taken can be lost: a wait that was just
    // interrupted does not look for it.
    const bool heard = answered && wait_killable_;
    if (this_bind_.socket != 0 && !heard) {
      last_bind_ = this_bind_;
    } else if (answered && last_bind_.thread == request.thread) {
      last_bind_ = {};
    }
  }
}

Adoption::Verdict Adoption::verdict_on(const AdoptionRequest& request) {
  switch (request.call) {
    case AdoptionRequest::Call::bind:
      return on_bind(request);
    case AdoptionRequest::Call::listen:
      return on_listen(request);
    case AdoptionRequest::Call::unlink:
      return on_unlink(request);
    case AdoptionRequest::Call::rename:
    case AdoptionRequest::Call::link:
      return on_move(request);
    case AdoptionRequest::Call::other:
      break;
  }
  return std::nullopt;
}

Adoption::Verdict Adoption::on_bind(const AdoptionRequest& request) {
  const auto where = address_of(request);
  if (!where) {
    if (errno == EPERM) note_refused(request, errno);
    return std::nullopt;
  }
  if (port_of(*where) == 0 && !is_named(*where)) return std::nullopt;
  this_bind_ = {request.thread, 0, *where};

  Fd socket = copy_descriptor(request.thread, request.fd);
  if (!socket) {
    if (errno != EBADF && errno != ESRCH) note_refused(request, errno);
    return std::nullopt;
  }
  if (!notifications_.still_asked(request.id)) return 0;
  if (socket_option(socket.get(), SOL_SOCKET, SO_DOMAIN) != where->storage.ss_family) return std::nullopt;

  const AddressKind kind = kind_of(socket.get());
  switch (kind) {
    case AddressKind::tcp:
      return bind_tcp(request, *where, std::move(socket));
    case AddressKind::unix_stream:
      return bind_unix(request, *where, std::move(socket));
    case AddressKind::udp:
    case AddressKind::unix_dgram:
      pass(address_text(*where, kind));  // others, when they listen
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
  if (port_of_bound(socket.get()) != 0) return bind_again(inode_of(socket.get()));
  if (const Predeclared* ours = predeclared(key)) return take_predeclared(request, *ours, socket);
  note_near_miss(where);
  if (arrival(key, socket.get(), where) == Arrival::How::refused) return EADDRINUSE;

  const bool had_group = socket_option(socket.get(), SOL_SOCKET, SO_REUSEPORT) == 1;
  const bool reuses = socket_option(socket.get(), SOL_SOCKET, SO_REUSEADDR) == 1;
  const auto in_the_way = [&](const AdoptedSocket& s) { return s.key == key && (s.listening || !reuses); };
  if (!had_group && std::ranges::any_of(sockets_, in_the_way)) {
    // The group is our doing: without it, the worker's second socket would not get the address.
    forget_closed();
    if (std::ranges::any_of(sockets_, in_the_way)) return EADDRINUSE;
  }
  if (is_mptcp(socket.get())) socket = made_plain(request, where, std::move(socket));

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
  add(request, key, address_text(where, AddressKind::tcp), inode_of(socket.get()));
  return 0;
}

// Of a bound socket: done already where the worker was interrupted before it heard so.
Adoption::Verdict Adoption::bind_again(ino_t inode) {
  this_bind_.socket = inode;
  if (this_bind_ == last_bind_) return 0;
  this_bind_ = {};
  return std::nullopt;
}

// The socket that is the worker's from now on; the same if it could not be replaced.
Fd Adoption::made_plain(const AdoptionRequest& request, const SocketAddress& where, Fd mptcp) {
  Fd plain = plain_tcp_like(mptcp.get());
  int failed = plain ? 0 : errno;
  if (plain) {
    ::fcntl(plain.get(), F_SETFL, ::fcntl(mptcp.get(), F_GETFL));
    failed = replace(request, plain.get());
  }
  if (failed == 0) {
    note(
        "MPTCP listeners become plain TCP ones, since the kernel steers only those (a Go program says the same "
        "with "
        "GODEBUG=multipathtcp=0)");
    return plain;
  }
  note(fmt::format(
      "{} is an MPTCP listener and could not be made a plain TCP one ({}): its connections cannot be "
      "steered to the newest generation (in Go: GODEBUG=multipathtcp=0)",
      address_text(where, AddressKind::tcp), std::generic_category().message(failed)));
  return mptcp;
}

Adoption::Verdict Adoption::on_listen(const AdoptionRequest& request) {
  Fd socket = copy_descriptor(request.thread, request.fd);
  if (!socket) {
    if (errno != EBADF && errno != ESRCH) note_refused(request, errno);
    return std::nullopt;
  }
  if (!notifications_.still_asked(request.id)) return 0;

  const ino_t inode = inode_of(socket.get());
  const auto adopted = find(inode);
  if (adopted == sockets_.end()) {
    const bool ours = std::ranges::any_of(predeclared_, [&](const auto& p) { return inode_of(p.fd) == inode; });
    const AddressKind kind = kind_of(socket.get());
    const int type = socket_option(socket.get(), SOL_SOCKET, SO_TYPE);
    SocketAddress local;
    if (!ours && (type == SOCK_STREAM || type == SOCK_SEQPACKET) &&
        ::getsockname(socket.get(), local.get(), &local.length) == 0) {
      pass(address_text(local, kind));
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
  ++changes_;
  auto names = adopted->second_names;
  if (adopted->name) names.push_back(adopted->name);
  for (const auto& name : names) {
    if (!name->listening) name->listening = Fd(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    put_in_place_if_due(*name);
  }
  adopted->fd = std::move(socket);
  // A worker that opens a second one has perhaps closed the first, which would go on queueing for nobody.
  if (std::ranges::count(sockets_, adopted->key, &AdoptedSocket::key) > 1) forget_closed();
  return 0;
}

Adoption::Arrival::How Adoption::arrival(const std::string& key, int fd, const SocketAddress& where) {
  if (!arrives_) return Arrival::How::open;
  const Arrival arrival = arrives_(key, fd, where);
  if (!arrival.note.empty()) note(arrival.note);
  return arrival.how;
}

// 0 or an errno. What is to be hidden must be so before the kernel can find it.
int Adoption::start_listening(AdoptedSocket& adopted, int fd, int backlog) {
  if (!adopted.listening && adopted.steerable()) {
    SocketAddress where;
    if (::getsockname(fd, where.get(), &where.length) != 0) return errno;
    switch (arrival(adopted.key, fd, where)) {
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
  for (AdoptedSocket& s : sockets_) {
    if (!s.hidden || !s.fd) continue;
    try {
      graced::show(s.fd.get(), *std::exchange(s.hidden, std::nullopt));
    } catch (const std::system_error&) { failed = std::current_exception(); }
  }
  if (failed) std::rethrow_exception(failed);
}

const Adoption::Predeclared* Adoption::predeclared(const std::string& key) const {
  const auto found = std::ranges::find(predeclared_, key, &Predeclared::key);
  return found != predeclared_.end() ? &*found : nullptr;
}

// 0.0.0.0 and [::] look alike to people, but a server of one does not expect the other's connections.
void Adoption::note_near_miss(const SocketAddress& where) {
  for (const Predeclared& ours : predeclared_) {
    if (port_of_bound(ours.fd) != port_of(where)) continue;
    const std::string wanted = address_text(where, AddressKind::tcp);
    note(fmt::format(
        "the worker binds {}, but {} is what --listen has: it gets that socket only with --listen {}", wanted,
        bound_address(ours.fd, AddressKind::tcp), wanted.substr(wanted.find(' ') + 1)));
  }
}

// File status flags belong to the open file, so the worker's own go along.
Adoption::Verdict Adoption::take_predeclared(const AdoptionRequest& request, const Predeclared& ours,
                                             const Fd& socket) {
  ::fcntl(ours.fd, F_SETFL, ::fcntl(socket.get(), F_GETFL));
  if (const int failed = replace(request, ours.fd); failed != 0) return failed;
  const ino_t inode = inode_of(ours.fd);
  this_bind_.socket = inode;
  if (find(inode) != sockets_.end()) return 0;
  add(request, ours.key, bound_address(ours.fd, kind_of(ours.fd)), inode).predeclared = true;
  return 0;
}

int Adoption::replace(const AdoptionRequest& request, int ours) {
  return notifications_.replace(request.id, ours, request.fd, closes_on_exec(request.thread, request.fd));
}

AdoptedSocket& Adoption::add(const AdoptionRequest& request, const std::string& key, const std::string& address,
                             ino_t inode, std::shared_ptr<AdoptedName> name) {
  if (sockets_.size() >= look_again_at_) {
    forget_closed();
    look_again_at_ = std::max<std::size_t>(64, 2 * sockets_.size());
  }
  AdoptedSocket& added = sockets_.emplace_back();
  added.key = key;
  added.address = address;
  added.inode = inode;
  added.name = std::move(name);
  added.holder = {request.thread, request.fd};
  if (added.name) called_by_its_name(added);
  this_bind_.socket = inode;
  ++changes_;
  return added;
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

void Adoption::note_refused(const AdoptionRequest& request, int code) {
  note(fmt::format(
      "what process {} ({}) binds is not handed off: {}", request.thread, printable(name_of(request.thread)),
      code == EPERM ? fmt::format("graced may not look into it ({})", why_no_descriptor(look_rights()))
                    : std::generic_category().message(code)));
}

}  // namespace graced
