// Who has an address that we cannot have: asked only to make the error useful.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

namespace graced {

struct PortHolder {
  pid_t pid;
  std::string command;  // as in /proc/PID/comm, safe to show
  // "0.0.0.0:8080": of a tcp or udp socket that is bound to another address, which includes the one asked for,
  // or is part of it. Else empty.
  std::string other_address{};

  bool is_graced() const { return command == "graced" && pid != ::getpid(); }  // another one
  std::string text() const;  // "nginx (PID 812)", or "graced itself" for our own PID
};

// nullopt if nobody is found, or if /proc shows us too little (another user's process, another PID
// namespace). Of several processes that share the socket the parent of the others is named.
std::optional<PortHolder> holder_of_tcp(const sockaddr* address);
std::optional<PortHolder> holder_of_udp(const sockaddr* address);
std::optional<PortHolder> holder_of_unix(std::string_view path);  // abstract: begins with '@'

// Who called listen(2) on a unix socket, by connecting to it: works across users, unlike the above,
// but leaves a closed connection in its queue.
std::optional<PortHolder> holder_behind(const sockaddr* address, socklen_t length, int type);

}  // namespace graced
