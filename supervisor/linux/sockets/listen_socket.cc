// socket(2), setsockopt(2), bind(2), listen(2), and what their errors mean to a person.
#include "linux/sockets/listen_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>

#include "linux/base/socket_option.h"
#include "linux/sockets/address_overlap.h"
#include "linux/sockets/listen_error.h"
#include "linux/sockets/port_holder.h"

namespace graced {
namespace {

// Sets options of one socket; a failure names the option as the user wrote it.
struct OptionSetter {
  int fd;
  const std::string& address;

  void set(std::string_view option, int level, int name, const void* value, std::size_t size) const {
    if (::setsockopt(fd, level, name, value, static_cast<socklen_t>(size)) < 0) fail(option, errno);
  }
  void set(std::string_view option, int level, int name, int value) const {
    set(option, level, name, &value, sizeof value);
  }

  [[noreturn]] void fail(std::string_view option, int code) const {
    std::string_view hint;
    if (code == EPERM) hint = "needs root or CAP_NET_ADMIN";
    if (code == ENOPROTOOPT || code == EOPNOTSUPP) hint = "this kind of socket does not have it";
    if (code == ENODEV) hint = "there is no such network interface, see: ip link";
    throw listen_error(code, fmt::format("{}: option {}", address, option), hint);
  }

  // The forced form goes beyond net.core.[rw]mem_max, but is for the privileged.
  void set_buffer(std::string_view option, int forced, int plain, std::uint64_t bytes) const {
    const int value = static_cast<int>(std::min<std::uint64_t>(bytes, INT_MAX / 2));
    if (::setsockopt(fd, SOL_SOCKET, forced, &value, sizeof value) == 0) return;
    set(option, SOL_SOCKET, plain, value);
  }
};

// Whole seconds, and never 0 for less than one: that would mean "off".
int whole_seconds(Duration d) {
  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(std::min<Duration>(d, std::chrono::seconds(INT_MAX)));
  return static_cast<int>(seconds.count());
}

// Unless asked for less, as much as net.core.somaxconn allows: the kernel caps it.
int queue_length(const ListenOptions& options) {
  return static_cast<int>(std::min<unsigned>(options.backlog.value_or(INT_MAX), INT_MAX));
}

bool is_wildcard_v6(const SocketAddress& address) {
  sockaddr_in6 v6;
  std::memcpy(&v6, &address.storage, sizeof v6);
  return v6.sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

std::string way_out(const PortHolder& holder) {
  if (holder.pid != ::getpid()) return "";
  if (holder.other_address.empty()) return " (is it listed twice?)";
  return fmt::format(
      ", which listens on {}: these two overlap (leave one of them out; to change one for the other, stop "
      "graced "
      "and start it again)",
      holder.other_address);
}

[[noreturn]] void in_use(const std::string& step, const PortHolder& holder) {
  const std::string reason = std::generic_category().message(EADDRINUSE);
  throw ListenError(EADDRINUSE, fmt::format("{}: {} by {}{}", step, reason, holder.text(), way_out(holder)))
      .perhaps_by_graced(holder.is_graced());
}

[[noreturn]] void bind_failed(int code, const SocketAddress& where, const ListenSpec& spec) {
  const std::string step = "bind " + spec.address();
  switch (code) {
    case EADDRINUSE: {
      const auto holder =
          spec.kind == AddressKind::udp ? holder_of_udp(where.get()) : holder_of_tcp(where.get());
      if (!holder)
        throw listen_error(code, step, "by a process that is not visible from here; as root: ss -lntup")
            .perhaps_by_graced(true);
      in_use(step, *holder);
    }
    case EACCES:
      throw listen_error(code, step,
                         spec.port < 1024 ? "ports below 1024 need root or CAP_NET_BIND_SERVICE" : "");
    case EADDRNOTAVAIL:
      throw listen_error(code, step,
                         "no interface of this machine has it, see: ip address; or add free-bind=yes");
    case EINVAL:
      throw listen_error(code, step, "a link-local address needs its interface: [fe80::1%eth0]:8080");
    default:
      throw listen_error(code, step);
  }
}

}  // namespace

int socket_type(AddressKind kind) {
  switch (kind) {
    case AddressKind::udp:
    case AddressKind::unix_dgram:
      return SOCK_DGRAM;
    case AddressKind::unix_seqpacket:
      return SOCK_SEQPACKET;
    case AddressKind::tcp:
    case AddressKind::unix_stream:
    case AddressKind::inherited:
      return SOCK_STREAM;
  }
  return SOCK_STREAM;
}

bool takes_connections(AddressKind kind) {
  switch (kind) {
    case AddressKind::tcp:
    case AddressKind::unix_stream:
    case AddressKind::unix_seqpacket:
      return true;
    case AddressKind::udp:
    case AddressKind::unix_dgram:
    case AddressKind::inherited:
      return false;
  }
  return false;
}

bool is_listening(int fd) {
  return socket_option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
}

Fd make_socket(int family, const ListenSpec& spec) {
  const int nonblock = spec.options.nonblock.value_or(false) ? SOCK_NONBLOCK : 0;
  Fd fd(::socket(family, socket_type(spec.kind) | SOCK_CLOEXEC | nonblock, 0));
  if (fd) return fd;
  const int code = errno;
  const bool without_ipv6 = code == EAFNOSUPPORT && family == AF_INET6;
  throw listen_error(code, "socket for " + spec.address(),
                     without_ipv6 ? "IPv6 is off on this machine; give an IPv4 address" : "");
}

void set_options(int fd, const ListenOptions& options, const std::string& address) {
  const OptionSetter socket{fd, address};
  if (options.no_delay) socket.set("no-delay", IPPROTO_TCP, TCP_NODELAY, *options.no_delay);
  if (options.keep_alive) socket.set("keep-alive", SOL_SOCKET, SO_KEEPALIVE, *options.keep_alive);
  if (options.defer_accept) {
    socket.set("defer-accept", IPPROTO_TCP, TCP_DEFER_ACCEPT, whole_seconds(*options.defer_accept));
  }
  if (options.fast_open) {
    const unsigned queue = std::min<unsigned>(*options.fast_open, INT_MAX);
    socket.set("fast-open", IPPROTO_TCP, TCP_FASTOPEN, static_cast<int>(queue));
  }
  if (options.mark) socket.set("mark", SOL_SOCKET, SO_MARK, &*options.mark, sizeof *options.mark);
  if (options.transparent) {
    const bool v6 = socket_option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
    socket.set("transparent", v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT,
               *options.transparent);
  }
  // Last: these never fail, and after a failure they could not be given back.
  if (options.receive_buffer) {
    socket.set_buffer("receive-buffer", SO_RCVBUFFORCE, SO_RCVBUF, *options.receive_buffer);
  }
  if (options.send_buffer) socket.set_buffer("send-buffer", SO_SNDBUFFORCE, SO_SNDBUF, *options.send_buffer);
}

ListenOptions options_set(int fd) {
  const auto is_set = [&](int level, int name) { return socket_option(fd, level, name) > 0; };
  const int family = socket_option(fd, SOL_SOCKET, SO_DOMAIN);
  ListenOptions options;
  if (is_set(SOL_SOCKET, SO_KEEPALIVE)) options.keep_alive = true;
  if (is_set(SOL_SOCKET, SO_MARK)) options.mark = 1;
  if (family != AF_INET && family != AF_INET6) return options;
  if (family == AF_INET6 ? is_set(IPPROTO_IPV6, IPV6_TRANSPARENT) : is_set(IPPROTO_IP, IP_TRANSPARENT)) {
    options.transparent = true;
  }
  if (socket_option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) return options;
  if (is_set(IPPROTO_TCP, TCP_NODELAY)) options.no_delay = true;
  if (is_set(IPPROTO_TCP, TCP_DEFER_ACCEPT)) options.defer_accept = 1s;
  if (is_set(IPPROTO_TCP, TCP_FASTOPEN)) options.fast_open = 1;
  return options;
}

void set_options_to_bind(int fd, const SocketAddress& where, const ListenSpec& spec) {
  const std::string address = spec.address();
  const OptionSetter socket{fd, address};
  const ListenOptions& options = spec.options;
  const bool v6 = where.storage.ss_family == AF_INET6;

  // Connections of the last run may linger in TIME_WAIT. For udp it would let two programs share a
  // port and steal from each other.
  if (spec.kind == AddressKind::tcp) socket.set("reuse-address", SOL_SOCKET, SO_REUSEADDR, 1);

  if (v6 && options.ipv6_only) {
    socket.set("ipv6-only", IPPROTO_IPV6, IPV6_V6ONLY, *options.ipv6_only);
  } else if (is_wildcard_v6(where)) {
    // Said outright, so that net.ipv6.bindv6only does not decide what "8080" and "tcp6:8080" mean.
    socket.set("ipv6-only", IPPROTO_IPV6, IPV6_V6ONLY, spec.family == IpFamily::v6);
  }
  if (options.free_bind) {
    socket.set("free-bind", v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND,
               *options.free_bind);
  }
  if (options.device) {
    socket.set("device", SOL_SOCKET, SO_BINDTODEVICE, options.device->data(), options.device->size());
  }
}

namespace {

void bind_and_listen(int fd, const SocketAddress& where, const ListenSpec& spec,
                     const std::function<void(int fd)>& bound = {}) {
  set_options(fd, spec.options, spec.address());
  if (::bind(fd, where.get(), where.length) < 0) bind_failed(errno, where, spec);
  if (bound) bound(fd);
  // With SO_REUSEADDR two sockets can be bound to one address: which of them is late shows only here.
  if (takes_connections(spec.kind) && ::listen(fd, queue_length(spec.options)) < 0)
    bind_failed(errno, where, spec);
}

}  // namespace

Fd open_ip_socket(const SocketAddress& where, const ListenSpec& spec,
                  const std::function<void(int fd)>& bound) {
  Fd fd = make_socket(where.storage.ss_family, spec);
  set_options_to_bind(fd.get(), where, spec);
  bind_and_listen(fd.get(), where, spec, bound);
  return fd;
}

Fd try_ip_socket(const SocketAddress& where, const ListenSpec& spec, const std::vector<Fd>& before) {
  Fd fd = make_socket(where.storage.ss_family, spec);
  set_options_to_bind(fd.get(), where, spec);
  set_options(fd.get(), spec.options, spec.address());
  if (spec.kind == AddressKind::tcp) {
    // The kernel would see it once they listen.
    for (const Fd& other : before) {
      if (spec.port != 0 && overlaps(other.get(), fd.get(), where))
        in_use("bind " + spec.address(), {::getpid(), "graced", ip_address_of(other.get())});
    }
    if (::bind(fd.get(), where.get(), where.length) < 0) bind_failed(errno, where, spec);
    return fd;
  }
  // What the address and the port take is the same for both kinds; who has it is not.
  const Fd stream(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!stream) throw listen_error(errno, "socket for " + spec.address());
  set_options_to_bind(stream.get(), where, spec);
  if (::bind(stream.get(), where.get(), where.length) < 0 && errno != EADDRINUSE)
    bind_failed(errno, where, spec);
  if (spec.port != 0 && holder_of_udp(where.get())) bind_failed(EADDRINUSE, where, spec);
  return Fd();
}

namespace {

// The same address is the same choice of families: "8080" may be one socket for both.
Fd bind_shared(const SocketAddress& where, int v6_only, const ListenSpec& spec) {
  Fd fd = make_socket(where.storage.ss_family, spec);
  set_options_to_bind(fd.get(), where, spec);
  const OptionSetter socket{fd.get(), spec.address()};
  if (where.storage.ss_family == AF_INET6) socket.set("ipv6-only", IPPROTO_IPV6, IPV6_V6ONLY, v6_only);
  socket.set("shared address", SOL_SOCKET, SO_REUSEPORT, 1);
  bind_and_listen(fd.get(), where, spec);
  return fd;
}

SocketAddress name_of(int fd, const ListenSpec& spec) {
  SocketAddress where;
  if (::getsockname(fd, where.get(), &where.length) < 0) throw listen_error(errno, spec.address());
  return where;
}

}  // namespace

Fd open_ip_socket_again(int other, const ListenSpec& spec) {
  const SocketAddress where = name_of(other, spec);
  const bool v6 = where.storage.ss_family == AF_INET6;
  return bind_shared(where, v6 ? socket_option(other, IPPROTO_IPV6, IPV6_V6ONLY) : 0, spec);
}

// The kernel makes a group of a udp socket when it is bound, and by then it must have the option: with which it
// would not meet a stranger of the same user who has it, too. One without it does.
Fd open_shared_udp_socket(const SocketAddress& where, const ListenSpec& spec) {
  Fd alone = open_ip_socket(where, spec);
  const SocketAddress bound = name_of(alone.get(), spec);
  const bool v6 = bound.storage.ss_family == AF_INET6;
  const int v6_only = v6 ? socket_option(alone.get(), IPPROTO_IPV6, IPV6_V6ONLY) : 0;
  alone.reset();
  return bind_shared(bound, v6_only, spec);
}

void start_listening(int fd, const ListenOptions& options, const std::string& address) {
  if (::listen(fd, queue_length(options)) < 0) throw listen_error(errno, "listen " + address);
}

void stop_listening(int fd) {
  ::shutdown(fd, SHUT_RD);
}

AddressKind socket_kind(int fd, const std::string& address) {
  const int family = socket_option(fd, SOL_SOCKET, SO_DOMAIN);
  if (family < 0) {
    const int code = errno;
    if (code == ENOTSOCK)
      throw ListenError(code, fmt::format("{}: descriptor {} is not a socket", address, fd));
    throw listen_error(code, address);
  }
  const int type = socket_option(fd, SOL_SOCKET, SO_TYPE);
  if (family == AF_INET || family == AF_INET6) {
    if (type == SOCK_STREAM) return AddressKind::tcp;
    if (type == SOCK_DGRAM) return AddressKind::udp;
  }
  if (family == AF_UNIX) {
    if (type == SOCK_STREAM) return AddressKind::unix_stream;
    if (type == SOCK_DGRAM) return AddressKind::unix_dgram;
    if (type == SOCK_SEQPACKET) return AddressKind::unix_seqpacket;
  }
  return AddressKind::inherited;
}

}  // namespace graced
