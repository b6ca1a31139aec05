// A server that knows nothing of graced, in processes of its own: whoever connects gets one letter, and the
// connection's end. Its clients.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

struct ForeignServer {
  int family = AF_INET;  // AF_INET6: dual stack, unless
  bool v6_only = false;
  int protocol = 0;
  int type = SOCK_STREAM;  // SOCK_DGRAM: it binds, and is silent
  bool reuse_address = true;
  int sharing = 0;   // so many sockets with SO_REUSEPORT; 0: one without
  int children = 0;  // that accept, all from the same sockets; 0: it does so itself
  std::optional<uid_t> user{};
  bool keeps = false;        // does not end what it has answered
  bool in_own_pids = false;  // as in a container
  bool in_own_network = false;
};

class RunningForeign {
 public:
  explicit RunningForeign(const ForeignServer& how) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    if (how.in_own_pids) REQUIRE(::unshare(CLONE_NEWPID) == 0);
    pid_ = ::fork();
    if (pid_ == 0) Inside{how, writer.get()}.run();
    writer.reset();
    REQUIRE(::read(reader.get(), &port_, sizeof port_) == sizeof port_);
  }
  RunningForeign(const RunningForeign&) = delete;
  RunningForeign& operator=(const RunningForeign&) = delete;
  ~RunningForeign() { end(); }

  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }

  void end() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  struct Inside {
    const ForeignServer& how;
    int report;

    [[noreturn]] void run() const {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setpgid(0, 0);
      if (how.in_own_network && ::unshare(CLONE_NEWNET) != 0) ::_exit(1);
      if (how.user && ::setresuid(*how.user, *how.user, *how.user) != 0) ::_exit(1);
      ::prctl(PR_SET_DUMPABLE, 1);
      std::vector<pollfd> sockets;
      in_port_t port = 0;
      for (int i = 0; i < (how.sharing > 0 ? how.sharing : 1); ++i) sockets.push_back({open(port), POLLIN, 0});
      for (int i = 0; i < how.children; ++i) {
        if (::fork() == 0) {
          ::prctl(PR_SET_PDEATHSIG, SIGKILL);
          serve(sockets);
        }
      }
      const std::uint16_t number = ntohs(port);
      if (::write(report, &number, sizeof number) != sizeof number) ::_exit(1);
      if (how.children > 0 || how.type != SOCK_STREAM) {
        for (;;) ::pause();
      }
      serve(sockets);
    }

    int open(in_port_t& port) const {
      const int fd = ::socket(how.family, how.type | SOCK_CLOEXEC | SOCK_NONBLOCK, how.protocol);
      const int on = 1;
      const int only = how.v6_only ? 1 : 0;
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_port = port;
      if (how.v6_only) v6.sin6_addr = in6addr_loopback;
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = port;
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const bool six = how.family == AF_INET6;
      auto* const name = six ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
      socklen_t length = six ? sizeof v6 : sizeof v4;
      if (fd < 0 || (how.reuse_address && ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) ||
          (how.sharing > 0 && ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
          (six && ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0) ||
          ::bind(fd, name, length) < 0 || (how.type == SOCK_STREAM && ::listen(fd, 1024) < 0) ||
          ::getsockname(fd, name, &length) < 0) {
        ::_exit(1);
      }
      port = six ? v6.sin6_port : v4.sin_port;
      return fd;
    }

    [[noreturn]] void serve(std::vector<pollfd> sockets) const {
      for (;;) {
        if (::poll(sockets.data(), sockets.size(), -1) < 0) ::_exit(1);
        for (const pollfd& s : sockets) {
          const int fd = ::accept4(s.fd, nullptr, nullptr, SOCK_CLOEXEC);
          if (fd < 0) continue;
          if (::send(fd, "o", 1, MSG_NOSIGNAL) != 1) {}
          if (!how.keeps) ::close(fd);
        }
      }
    }
  };

  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

// Comes from 127.0.0.1, or ::1 for servers of IPv6 alone. Not connected: none.
inline Fd client_of(std::uint16_t port, bool v6 = false) {
  Fd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  six.sin6_addr = in6addr_loopback;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int done = v6 ? ::connect(fd.get(), reinterpret_cast<sockaddr*>(&six), sizeof six)
                      : ::connect(fd.get(), reinterpret_cast<sockaddr*>(&four), sizeof four);
  return done == 0 ? std::move(fd) : Fd();
}

// What a client hears first: "o", "" at the end, "reset", "refused".
inline std::string heard_by_client(std::uint16_t port, bool v6 = false) {
  const Fd client = client_of(port, v6);
  if (!client) return "refused";
  char letter = 0;
  const ssize_t length = ::read(client.get(), &letter, 1);
  return length < 0 ? "reset" : std::string(&letter, static_cast<std::size_t>(length));
}

// Clients one after the other, until they are asked how many did not hear "o".
class Hammer {
 public:
  explicit Hammer(std::uint16_t port) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    ask_.reset(ends[0]);
    const Fd inside(ends[1]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::array<unsigned, 2> counts{};
    pollfd asked{inside.get(), POLLIN, 0};
    do { ++counts[heard_by_client(port) == "o" ? 0 : 1]; } while (::poll(&asked, 1, 0) == 0);
    char what = 0;  // unread it would make a reset of the answer
    if (::read(inside.get(), &what, 1) != 1) ::_exit(1);
    ::_exit(::send(inside.get(), counts.data(), sizeof counts, MSG_NOSIGNAL) == sizeof counts ? 0 : 1);
  }
  Hammer(const Hammer&) = delete;
  Hammer& operator=(const Hammer&) = delete;
  ~Hammer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  struct Counts {
    unsigned answered;
    unsigned lost;
  };
  Counts stop() const {
    std::array<unsigned, 2> counts{};
    REQUIRE(::send(ask_.get(), "e", 1, MSG_NOSIGNAL) == 1);
    REQUIRE(::read(ask_.get(), counts.data(), sizeof counts) == sizeof counts);
    return {counts[0], counts[1]};
  }

 private:
  Fd ask_;
  pid_t pid_ = -1;
};

}  // namespace graced
