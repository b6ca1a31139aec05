// Who waits for connections, as the kernel shows it: in each of the calls in which a server can, in threads and
// children; and who only seems to.
#include "linux/proc/listening.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "as_root.h"
#include "linux/base/fd.h"
#include "linux/base/inode.h"
#include "linux/proc/process.h"
#include "wait_until.h"

namespace graced {

namespace {

Fd listening_socket() {
  Fd s(::socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(::listen(s.get(), 8) == 0);
  return s;
}

Fd udp_socket() {
  Fd s(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  REQUIRE(::bind(s.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  return s;
}

int epoll_with(int fd, unsigned events = EPOLLIN) {
  const int e = ::epoll_create1(0);
  epoll_event event{};
  event.events = events;
  ::epoll_ctl(e, EPOLL_CTL_ADD, fd, &event);
  return e;
}

void wait_in_epoll(int e) {
  epoll_event event{};
  for (;;) ::epoll_wait(e, &event, 1, -1);
}

// A process that does this for ever, or until the test ends.
class Server {
 public:
  explicit Server(const std::function<void()>& does) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    does();
    for (;;) ::pause();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    for (const pid_t p : descendants_of(pid_)) ::kill(p, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  std::vector<pid_t> processes() const {
    std::vector<pid_t> all = descendants_of(pid_);
    all.insert(all.begin(), pid_);
    return all;
  }
  bool waits_on(const std::vector<ino_t>& inodes) const {
    SoughtSockets sought(inodes);
    find_waited_on(processes(), sought);
    return sought.all_found();
  }
  bool rests() const { return rest_of(pid_) == Rest::resting; }

 private:
  pid_t pid_;
};

void check_waits(const Fd& socket, const std::function<void(int)>& does) {
  const Server server([&] { does(socket.get()); });
  CHECK(wait_until([&] { return server.waits_on({inode_of(socket.get())}); }));
}

void check_does_not_wait(const Fd& socket, const std::function<void(int)>& does) {
  const Server server([&] { does(socket.get()); });
  REQUIRE(wait_until([&] { return server.rests(); }));
  CHECK_FALSE(server.waits_on({inode_of(socket.get())}));
}

}  // namespace

TEST_CASE("a server is seen waiting in whatever call it waits") {
  const Fd socket = listening_socket();
  SUBCASE("accept") {
    check_waits(socket, [](int s) { ::accept(s, nullptr, nullptr); });
  }
  SUBCASE("poll") {
    check_waits(socket, [](int s) {
      pollfd set[] = {{-1, POLLIN, 0}, {s, POLLIN, 0}};
      ::poll(set, 2, -1);
    });
  }
  SUBCASE("select") {
    check_waits(socket, [](int s) {
      const int high = ::dup2(s, 100);  // in a word of its own
      fd_set set;
      FD_ZERO(&set);
      FD_SET(high, &set);
      ::close(s);
      ::select(high + 1, &set, nullptr, nullptr, nullptr);
    });
  }
  SUBCASE("epoll_wait") {
    check_waits(socket, [](int s) { wait_in_epoll(epoll_with(s)); });
  }
  SUBCASE("epoll_wait, edge-triggered, on a descriptor that was closed since") {
    check_waits(socket, [](int s) {
      const int copy = ::dup(s);
      const int e = epoll_with(copy, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
      ::close(copy);
      wait_in_epoll(e);
    });
  }
  SUBCASE("epoll_wait on an epoll instance within another") {
    check_waits(socket, [](int s) { wait_in_epoll(epoll_with(epoll_with(s))); });
  }
  SUBCASE("poll on an epoll instance") {
    check_waits(socket, [](int s) {
      pollfd set = {epoll_with(s), POLLIN, 0};
      ::poll(&set, 1, -1);
    });
  }
}

TEST_CASE("a server of datagrams is seen waiting in recv") {
  check_waits(udp_socket(), [](int s) {
    char byte;
    ::recv(s, &byte, 1, 0);
  });
}

TEST_CASE("one thread that waits is enough") {
  check_waits(listening_socket(), [](int s) {
    std::thread([s] { ::accept(s, nullptr, nullptr); }).detach();
    for (;;) ::pause();
  });
}

TEST_CASE("a child that waits is enough, and so is its child") {
  check_waits(listening_socket(), [](int s) {
    if (::fork() == 0 && ::fork() == 0) ::accept(s, nullptr, nullptr);
  });
}

TEST_CASE("several sockets are waited on by several processes") {
  const Fd one = listening_socket();
  const Fd other = listening_socket();
  const Server server([&] {
    if (::fork() == 0) ::accept(one.get(), nullptr, nullptr);
    wait_in_epoll(epoll_with(other.get()));
  });
  CHECK(wait_until([&] { return server.waits_on({inode_of(one.get()), inode_of(other.get())}); }));
}

TEST_CASE("who waits on one socket is not seen waiting on the other") {
  const Fd one = listening_socket();
  const Fd other = listening_socket();
  const Server server([&] { ::accept(one.get(), nullptr, nullptr); });
  REQUIRE(wait_until([&] { return server.waits_on({inode_of(one.get())}); }));
  CHECK_FALSE(server.waits_on({inode_of(one.get()), inode_of(other.get())}));
}

TEST_CASE("who only has the socket does not wait on it") {
  const Fd socket = listening_socket();
  SUBCASE("at rest") {
    check_does_not_wait(socket, [](int) { ::pause(); });
  }
  SUBCASE("registered in an epoll instance that nobody asks: it still loads") {
    check_does_not_wait(socket, [](int s) {
      epoll_with(s);
      ::sleep(3600);
    });
  }
  SUBCASE("registered and told once, or for nothing") {
    check_does_not_wait(socket, [](int s) { wait_in_epoll(epoll_with(s, EPOLLONESHOT)); });
  }
  SUBCASE("in poll for something else") {
    check_does_not_wait(socket, [](int s) {
      pollfd set = {s, POLLPRI, 0};
      ::poll(&set, 1, -1);
    });
  }
  SUBCASE("in epoll_wait for something else") {
    check_does_not_wait(socket, [](int s) {
      epoll_with(s);
      int ends[2];
      if (::pipe(ends) == 0) wait_in_epoll(epoll_with(ends[0]));
    });
  }
}

TEST_CASE("of one that is busy it counts what it has registered") {
  const Fd socket = listening_socket();
  const Server server([&] {
    epoll_with(socket.get());
    for (;;) static_cast<void>(::getppid());
  });
  CHECK(wait_until([&] {
    SoughtSockets sought({inode_of(socket.get())});
    find_registered_by_busy(server.processes(), sought);
    return sought.all_found();
  }));
  CHECK_FALSE(server.waits_on({inode_of(socket.get())}));
}

TEST_CASE("who may not be looked into is told of, and nobody who is gone") {
  if (!as_root("to become another user")) return;
  const Fd socket = listening_socket();
  const Server server([&] { ::accept(socket.get(), nullptr, nullptr); });
  const pid_t hidden = server.processes().front();
  REQUIRE(wait_until([&] { return server.waits_on({inode_of(socket.get())}); }));

  const pid_t stranger = ::fork();
  if (stranger == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(9);
    SoughtSockets sought({inode_of(socket.get())});
    const auto seen = find_waited_on({hidden}, sought);
    ::_exit(seen == hidden && !sought.all_found() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(stranger, &status, 0);
  CHECK(status == 0);

  SoughtSockets sought({inode_of(socket.get())});
  CHECK_FALSE(find_waited_on({stranger}, sought));  // reaped
}

}  // namespace graced
