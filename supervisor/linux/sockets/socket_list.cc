#include "linux/sockets/socket_list.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "linux/base/sys_error.h"
#include "linux/base/unix_address.h"
#include "linux/sockets/netlink_reply.h"

namespace graced {
namespace {

using Bytes = std::vector<std::uint8_t>;

// States, of TCP and unix sockets alike.
constexpr std::uint32_t established_bit = 1 << 1;
constexpr std::uint32_t listens = 1 << 10;

void append(Bytes& bytes, const void* object, std::size_t size) {
  const auto* const begin = static_cast<const std::uint8_t*>(object);
  bytes.insert(bytes.end(), begin, begin + size);
}

void append_condition(Bytes& filter, int code, std::size_t if_true, std::size_t if_false) {
  const inet_diag_bc_op op{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(if_true),
                           static_cast<std::uint16_t>(if_false)};
  append(filter, &op, sizeof op);
}

// The filter is bytecode: each condition says how many bytes to go on. The end of it is yes, four bytes
// behind the end is no.
Bytes filter_for(int port_is, const std::set<std::uint16_t>& ports,
                 const std::optional<std::uint64_t>& cgroup) {
  constexpr std::size_t op = sizeof(inet_diag_bc_op);
  constexpr std::size_t cgroup_size = op + sizeof(std::uint64_t);
  constexpr std::size_t port_size = 3 * op;  // compare, the port, jump
  const std::size_t ports_size = ports.size() * port_size + op;
  Bytes filter;
  if (cgroup) {
    append_condition(filter, INET_DIAG_BC_CGROUP_COND, cgroup_size, cgroup_size + ports_size + 4);
    append(filter, &*cgroup, sizeof *cgroup);
  }
  std::size_t left = ports_size;
  for (const std::uint16_t port : ports) {
    append_condition(filter, port_is, 2 * op, port_size);
    append_condition(filter, 0, 0, port);
    append_condition(filter, INET_DIAG_BC_JMP, op, left - 2 * op);
    left -= port_size;
  }
  append_condition(filter, INET_DIAG_BC_JMP, op, op + 4);  // none of them
  return filter;
}

void append_attribute(Bytes& bytes, unsigned short type, const void* data, std::size_t size) {
  const rtattr attribute{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
  append(bytes, &attribute, sizeof attribute);
  append(bytes, data, size);
}

// Of an array of counters, which later kernels may make longer.
std::optional<std::uint32_t> drops_in(std::string_view meminfo) {
  std::uint32_t drops = 0;
  constexpr std::size_t at = SK_MEMINFO_DROPS * sizeof drops;
  if (meminfo.size() < at + sizeof drops) return std::nullopt;
  std::memcpy(&drops, meminfo.data() + at, sizeof drops);
  return drops;
}

// The kernel tells a device by its own numbering, 12 bits and 20.
FileId file_in(std::string_view attribute) {
  unix_diag_vfs file{};
  if (attribute.size() < sizeof file) return {};
  std::memcpy(&file, attribute.data(), sizeof file);
  constexpr unsigned minor_bits = 20;
  return {makedev(file.udiag_vfs_dev >> minor_bits, file.udiag_vfs_dev & ((1U << minor_bits) - 1)),
          file.udiag_vfs_ino};
}

AcceptQueue queue_in(std::string_view attribute) {
  unix_diag_rqlen length{};
  if (attribute.size() < sizeof length) return {0, 0};
  std::memcpy(&length, attribute.data(), sizeof length);
  return {length.udiag_rqueue, length.udiag_wqueue};
}

// For all unix sockets in one of these states.
Bytes unix_request(std::uint32_t states, std::uint32_t show) {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = states;
  request.udiag_show = show;
  Bytes bytes;
  append(bytes, &request, sizeof request);
  return bytes;
}

}  // namespace

FileId file_in_list(const FileId& file) {
  return {file.device, file.inode & UINT32_MAX};
}

SocketList::SocketList()
    : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)), buffer_(64 * 1024) {
  if (!socket_) throw sys_error("a netlink socket for sock_diag");
}

// Until the kernel says done.
template <class Message, class Seen>
void SocketList::ask(std::span<const std::uint8_t> request, bool all, const Seen& seen) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + request.size());
  header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  header.nlmsg_flags = NLM_F_REQUEST;
  if (all) header.nlmsg_flags |= NLM_F_DUMP;
  header.nlmsg_seq = ++sequence_;
  Bytes bytes;
  append(bytes, &header, sizeof header);
  append(bytes, request.data(), request.size());
  if (::send(socket_.get(), bytes.data(), bytes.size(), 0) < 0) throw sys_error("ask sock_diag");

  for (;;) {
    const ssize_t length = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) throw sys_error("hear from sock_diag");
    const std::span datagram(buffer_.data(), static_cast<std::size_t>(length));
    if (read_reply<Message>(datagram, sequence_, all, seen)) return;
  }
}

// Which of the two ports of a socket is asked about.
enum class SocketList::End : std::uint8_t { local = INET_DIAG_BC_S_EQ, peer = INET_DIAG_BC_D_EQ };

void SocketList::each_tcp(const TcpPlaces& places, const TcpQuestion& question,
                          const std::function<void(const TcpSeen&)>& seen) {
  each_tcp_of(places, End::local, question, seen);
}

void SocketList::each_tcp_to(const TcpPlaces& places, const TcpQuestion& question,
                             const std::function<void(const TcpSeen&)>& seen) {
  each_tcp_of(places, End::peer, question, seen);
}

void SocketList::each_tcp_listener(const std::function<void(const TcpSeen&)>& seen) {
  const TcpQuestion question{listens, std::nullopt, false};
  for (const int family : {AF_INET, AF_INET6}) each_tcp_of(IPPROTO_TCP, family, {}, question, seen);
}

void SocketList::each_tcp_of(const TcpPlaces& places, End end, const TcpQuestion& question,
                             const std::function<void(const TcpSeen&)>& seen) {
  const Bytes filter = filter_for(static_cast<int>(end), places.ports, question.cgroup);
  for (const int protocol : places.protocols) {
    for (const int family : places.families) each_tcp_of(protocol, family, filter, question, seen);
  }
}

void SocketList::each_tcp_of(int protocol, int family, const Bytes& filter, const TcpQuestion& question,
                             const std::function<void(const TcpSeen&)>& seen) {
  const bool plain = protocol == IPPROTO_TCP;
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<std::uint8_t>(family);
  request.sdiag_protocol = plain ? IPPROTO_TCP : 0xff;
  request.idiag_states = question.states;
  if (question.with_info && plain) request.idiag_ext |= 1 << (INET_DIAG_INFO - 1);
  if (question.with_drops) request.idiag_ext |= 1 << (INET_DIAG_SKMEMINFO - 1);
  Bytes bytes;
  append(bytes, &request, sizeof request);
  if (!filter.empty()) append_attribute(bytes, INET_DIAG_REQ_BYTECODE, filter.data(), filter.size());
  if (!plain) {  // a number that has no room in the structure
    const auto number = static_cast<std::uint32_t>(protocol);
    append_attribute(bytes, INET_DIAG_REQ_PROTOCOL, &number, sizeof number);
  }

  ask<inet_diag_msg>(bytes, true, [&](const nlmsghdr* header, const inet_diag_msg& m) {
    TcpSeen s{{m.idiag_state, m.idiag_rqueue, m.idiag_wqueue},
              m.idiag_inode,
              endpoint_of(m.idiag_family, m.id.idiag_src, ntohs(m.id.idiag_sport)),
              endpoint_of(m.idiag_family, m.id.idiag_dst, ntohs(m.id.idiag_dport)),
              nullptr,
              std::nullopt};
    tcp_info info{};  // an older kernel knows less: the rest is zero
    if (request.idiag_ext != 0) {
      each_attribute<inet_diag_msg>(header, [&](unsigned type, const char* data, std::size_t size) {
        if (type == INET_DIAG_SKMEMINFO) s.drops = drops_in({data, size});
        if (type != INET_DIAG_INFO) return;
        std::memcpy(&info, data, std::min(size, sizeof info));
        s.info = &info;
      });
    }
    seen(s);
  });
}

void SocketList::each_unix_connection(const std::function<void(const UnixSeen&)>& seen) {
  const Bytes asked = unix_request(established_bit, UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_VFS);
  ask<unix_diag_msg>(asked, true, [&](const nlmsghdr* header, const unix_diag_msg& m) {
    UnixSeen s{m.udiag_ino, 0, {}, {}};
    each_attribute<unix_diag_msg>(header, [&](unsigned type, const char* data, std::size_t size) {
      if (type == UNIX_DIAG_NAME) s.name = unix_name({data, size});
      if (type == UNIX_DIAG_VFS) s.file = file_in({data, size});
      std::uint32_t peer = 0;
      if (type == UNIX_DIAG_PEER && size == sizeof peer) {
        std::memcpy(&peer, data, size);
        s.peer = peer;
      }
    });
    seen(s);
  });
}

void SocketList::each_unix_listener(const std::function<void(const UnixListenerSeen&)>& seen) {
  const Bytes asked = unix_request(listens, UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN);
  ask<unix_diag_msg>(asked, true, [&](const nlmsghdr* header, const unix_diag_msg& m) {
    UnixListenerSeen s{.inode = m.udiag_ino, .name = {}, .file = {}};
    each_attribute<unix_diag_msg>(header, [&](unsigned type, const char* data, std::size_t size) {
      if (type == UNIX_DIAG_NAME) s.name = unix_name({data, size});
      if (type == UNIX_DIAG_VFS) s.file = file_in({data, size});
      if (type == UNIX_DIAG_RQLEN) s.queue = queue_in({data, size});
    });
    seen(s);
  });
}

std::optional<AcceptQueue> SocketList::unix_queue(ino_t listening) {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0U;
  request.udiag_ino = static_cast<std::uint32_t>(listening);
  request.udiag_show = UDIAG_SHOW_RQLEN;
  request.udiag_cookie[0] = request.udiag_cookie[1] = INET_DIAG_NOCOOKIE;
  Bytes bytes;
  append(bytes, &request, sizeof request);
  std::optional<AcceptQueue> queue;
  ask<unix_diag_msg>(bytes, false, [&](const nlmsghdr* header, const unix_diag_msg&) {
    each_attribute<unix_diag_msg>(header, [&](unsigned type, const char* data, std::size_t size) {
      if (type == UNIX_DIAG_RQLEN && size >= sizeof(unix_diag_rqlen)) queue = queue_in({data, size});
    });
  });
  return queue;
}

}  // namespace graced
