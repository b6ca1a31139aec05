// One `--listen ADDR[,opt=value…]` as plain values: parsed here, bound by the edge.
// Options carry systemd.socket(5)'s names and meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace graced {

enum class AddressKind { tcp, udp, unix_stream, unix_dgram, unix_seqpacket, inherited };
enum class IpFamily { any, v4, v6 };

struct ListenOptions {
  std::optional<std::string> name;  // LISTEN_FDNAMES; no ':' or control character, at most 255
  std::optional<unsigned> backlog;  // else SOMAXCONN
  std::optional<unsigned> mode;     // unix paths: octal permissions; else 0666
  std::optional<std::string> user;  // unix paths: owner
  std::optional<std::string> group;
  std::optional<bool> ipv6_only;  // yes: `both`=no …  only tcp and udp on IPv6
  std::optional<bool> free_bind;
  std::optional<bool> transparent;
  std::optional<bool> no_delay;
  std::optional<bool> keep_alive;
  std::optional<Duration> defer_accept;         // whole seconds to the kernel
  std::optional<unsigned> fast_open;            // queue length
  std::optional<std::uint64_t> receive_buffer;  // bytes; "8M" is read
  std::optional<std::uint64_t> send_buffer;
  std::optional<std::uint32_t> mark;
  std::optional<std::string> device;  // SO_BINDTODEVICE
  std::optional<bool> nonblock;       // O_NONBLOCK, shared by everybody who holds the socket

  friend bool operator==(const ListenOptions&, const ListenOptions&) = default;
};

struct ListenSpec {
  AddressKind kind = AddressKind::tcp;
  std::string host;        // as written, without brackets; empty or "*": every address
  std::uint16_t port = 0;  // tcp, udp; 0 lets the kernel choose
  IpFamily family = IpFamily::any;
  std::string path;  // unix; an abstract one begins with '@'
  int fd = -1;       // inherited: `fd:N`
  ListenOptions options;

  // The address alone in its shortest form, without options: what messages, status and the
  // comparison of two configurations call it ("8080", "127.0.0.1:80", "unix:/run/a.sock", "fd:3").
  std::string address() const;

  // What workers find it under in LISTEN_FDNAMES and {fd:NAME}: the name option, else the port,
  // else the last part of the path, else "fdN".
  std::string name() const;

  friend bool operator==(const ListenSpec&, const ListenSpec&) = default;
};

// Throws std::invalid_argument with one line that names the thing and the way out, for example
// "port '80800' is not between 0 and 65535" (without the ADDR itself: the caller names that).
ListenSpec parse_listen_spec(std::string_view text);

}  // namespace graced
