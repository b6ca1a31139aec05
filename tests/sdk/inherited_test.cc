// Sockets that come with the process. Each test looks for them in a process of its own, since a process
// looks once; nothing else in this program may look.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include "edge/temp_directory.h"
#include "graced/child.hpp"
#include "supervised.h"

namespace child = graced::child;
using child::Kind;

namespace {

Descriptor tcp(bool listening = true) {
  Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
  if (listening) REQUIRE(::listen(fd.get(), 8) == 0);
  return fd;
}

Descriptor unix_pair_end(int type) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
  ::close(ends[1]);
  return Descriptor(ends[0]);
}

Descriptor unix_at(const std::string& path) {
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  path.copy(un.sun_path, sizeof un.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&un), sizeof un) == 0);
  REQUIRE(::listen(fd.get(), 8) == 0);
  return fd;
}

ino_t inode(int fd) {
  struct stat s {};
  return ::fstat(fd, &s) == 0 ? s.st_ino : 0;
}

std::string told(const std::optional<child::Listener>& l) {
  return l ? l->name() + std::to_string(l->fd()) : "none";
}

}  // namespace

TEST_CASE("sockets are found by name and kind, each once, the first of a name first") {
  const Descriptor a = tcp();
  const Descriptor b = unix_pair_end(SOCK_DGRAM);
  const Descriptor c = tcp();
  const std::string said = in_heir({{a.get(), b.get(), c.get()}, "web:web:web"}, [] {
    const auto datagram = child::take_inherited("web", Kind::datagram);
    const auto other = child::take_inherited("mail");
    const auto first = child::take_inherited("web");
    const auto second = child::take_inherited("web");
    const auto third = child::take_inherited("web");
    return told(datagram) + " " + told(other) + " " + told(first) + " " + told(second) + " " + told(third);
  });
  CHECK(said == "web4 none web3 web5 none");
}

TEST_CASE("all sockets come in their order, with their kind, as they are and closed on exec") {
  const Descriptor a = tcp();
  const Descriptor b = unix_pair_end(SOCK_SEQPACKET);
  const Descriptor c(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string said = in_heir({{a.get(), b.get(), c.get()}, ""}, [&] {
    std::string text;
    for (const child::Listener& l : child::take_inherited()) {
      text += l.name() + std::to_string(l.fd()) + "/" + std::to_string(static_cast<int>(l.kind()));
      text += l.inherited() && (::fcntl(l.fd(), F_GETFD) & FD_CLOEXEC) != 0 ? " " : "! ";
    }
    return text + std::to_string(child::take_inherited().size());
  });
  CHECK(said == "unknown3/0 unknown4/2 unknown5/3 0");
}

TEST_CASE("a socket that was passed is the very same socket") {
  const Descriptor a = tcp();
  const ino_t passed = inode(a.get());
  CHECK(in_heir({{a.get()}, "http"}, [&] {
          return inode(child::listen("http", "127.0.0.1:1").fd()) == passed ? "same" : "another";
        }) == "same");
}

TEST_CASE("the only socket passed serves whoever asks where nobody named it, but not as another kind") {
  const Descriptor a = tcp();
  for (const char* name : {"", "unknown", "stored", "web.socket", "fd3"}) {
    CAPTURE(name);
    CHECK(in_heir({{a.get()}, name}, [] { return std::to_string(child::listen("http", "1").fd()); }) == "3");
  }
  CHECK(in_heir({{a.get()}, "8080"}, [] { return told(child::listen("http", "1")); }) == "80803");
  CHECK(in_heir({{a.get()}, "8080"}, [] { return told(child::listen("dns", "udp:53")); }) ==
        "no inherited socket is left for 'dns' (udp:53), passed were '8080': No such file or directory");
}

TEST_CASE("a single socket that was called admin is not given to who asks for http") {
  const Descriptor a = tcp();
  CHECK(in_heir({{a.get()}, "admin"}, [] { return told(child::listen("http", "8080")); }) ==
        "no inherited socket is left for 'http' (8080), passed were 'admin': No such file or directory");
  CHECK(in_heir({{a.get()}, "admin"}, [] { return told(child::listen("admin", "8080")); }) == "admin3");
}

TEST_CASE("a single unix socket that is called after its path was not named") {
  const TempDirectory directory;
  const Descriptor a(unix_at(directory / "web:1"));
  CHECK(in_heir({{a.get()}, "web_1"}, [] { return told(child::listen("http", "unix:/nowhere")); }) == "web_13");
  CHECK(
      in_heir({{a.get()}, "admin"}, [] { return told(child::listen("http", "unix:/nowhere")); }) ==
      "no inherited socket is left for 'http' (unix:/nowhere), passed were 'admin': No such file or directory");
}

TEST_CASE("of several sockets none is guessed") {
  const Descriptor a = tcp();
  const Descriptor b = tcp();
  CHECK(in_heir({{a.get(), b.get()}, "a:b"}, [] { return told(child::listen("http", "8080")); }) ==
        "no inherited socket is left for 'http' (8080), passed were 'a', 'b': No such file or directory");
}

TEST_CASE("a worker that was handed sockets never binds one beside them") {
  const Descriptor a = tcp();
  CHECK(in_heir({{a.get()}, "http"},
                [] {
                  const child::Listener first = child::listen("http", "127.0.0.1:0");
                  return told(child::listen("http", "127.0.0.1:0"));
                }) ==
        "no inherited socket is left for 'http' (127.0.0.1:0), passed were 'http': No such file or directory");
}

TEST_CASE("an inherited socket that does not listen is said, not served") {
  const Descriptor a = tcp(false);
  CHECK(in_heir({{a.get()}, "http"}, [] { return told(child::listen("http", "80")); }) ==
        "inherited socket 'http' does not listen: Invalid argument");
}

TEST_CASE("sockets meant for another process are left alone") {
  const Descriptor a = tcp();
  CHECK(in_heir({{a.get()}, "http"}, [] {
          ::setenv("LISTEN_PID", "1", 1);
          const bool none = child::take_inherited().empty();
          const child::Listener own = child::listen("http", "127.0.0.1:0");
          return std::string(none && !own.inherited() && (::fcntl(3, F_GETFD) & FD_CLOEXEC) == 0 ? "alone"
                                                                                                 : "taken");
        }) == "alone");
}

TEST_CASE("sockets that graced passed to a shell are not replaced by others: the worker says to use exec") {
  const Descriptor a = tcp();
  const auto below = [&](const std::string& pid, const char* count) {
    return in_heir({{a.get()}, "http"}, [&] {
      ::setenv("LISTEN_PID", pid.c_str(), 1);
      ::setenv("LISTEN_FDS", count, 1);
      ::unsetenv("LISTEN_FDNAMES");
      ::setenv("GRACED_GENERATION", "2", 1);
      std::string taken;
      try {
        taken = told(child::take_inherited("http"));
      } catch (const std::system_error& e) { taken = e.what(); }
      try {
        return std::string(child::listen("http", "127.0.0.1:0").inherited() ? "inherited" : "bound");
      } catch (const std::system_error& e) { return taken == e.what() ? taken : "two reasons"; }
    });
  };
  const pid_t shell = ::fork();
  if (shell == 0) {
    ::prctl(PR_SET_NAME, "sh\n");
    for (;;) ::pause();
  }
  const std::string pid = std::to_string(shell);
  const auto name = [&] {
    std::string comm;
    std::getline(std::ifstream("/proc/" + pid + "/comm"), comm, '\0');
    return comm;
  };
  while (name() != "sh\n\n") std::this_thread::yield();
  CHECK(below(pid, "1").starts_with("sockets were passed to PID " + pid + " (sh"));
  ::kill(shell, SIGKILL);
  ::waitpid(shell, nullptr, 0);
  // It may be gone already: sh -c 'server &'.
  CHECK(below(pid, "1") == "sockets were passed to PID " + pid + ": use exec: Invalid argument");
  CHECK(below(pid, "0") == "bound");
}

TEST_CASE("a process forked after the first look keeps what it saw") {
  const Descriptor a = tcp();
  CHECK(in_heir({{a.get()}, "http"}, [] {
          child::take_inherited("nothing");
          return in_heir({}, [] { return told(child::take_inherited("http")); });
        }) == "http3");
}

TEST_CASE("variables that contradict the descriptors are an error that names them") {
  const Descriptor a = tcp();
  const auto with = [&](const char* name, const char* value) {
    return in_heir({{a.get()}, "http"}, [&] {
      ::setenv(name, value, 1);
      return told(child::take_inherited("http"));
    });
  };
  CHECK(with("LISTEN_FDS", "x") == "LISTEN_FDS=x: Invalid argument");
  CHECK(with("LISTEN_FDS", "-1") == "LISTEN_FDS=-1: Invalid argument");
  CHECK(with("LISTEN_PID", "12 ") == "LISTEN_PID=12 : Invalid argument");
  CHECK(with("LISTEN_FDNAMES", "a:b") == "LISTEN_FDNAMES=a:b does not name 1 descriptors: Invalid argument");
  CHECK(in_heir({{a.get()}, ""}, [] {
          ::close(4);
          ::setenv("LISTEN_FDS", "2", 1);
          return told(child::take_inherited("http"));
        }) == "LISTEN_FDS announces descriptor 4: Bad file descriptor");
}

TEST_CASE("O_NONBLOCK is set for all who share the socket") {
  const Descriptor a = tcp();
  CHECK(in_heir({{a.get()}, "http"}, [] {
          child::take_inherited("http")->set_nonblocking();
          return "set";
        }) == "set");
  CHECK((::fcntl(a.get(), F_GETFL) & O_NONBLOCK) != 0);
}
