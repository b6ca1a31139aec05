// SIGTERM as something to wait for.
#include <doctest/doctest.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <stdexcept>
#include <system_error>
#include <thread>

#include "graced/child.hpp"
#include "supervised.h"

namespace child = graced::child;
using namespace std::chrono_literals;

TEST_CASE("SIGTERM makes the descriptor readable, for ever and for everybody") {
  const child::DrainToken drain;
  CHECK_FALSE(drain.requested());
  CHECK_FALSE(readable(drain.fd(), 0));
  CHECK_FALSE(drain.wait_for(0ms));
  CHECK(drain.signal() == 0);

  ::raise(SIGTERM);
  CHECK(readable(drain.fd(), 0));
  CHECK(readable(drain.fd(), 0));
  CHECK(drain.requested());
  CHECK(drain.wait_for(0ms));
  CHECK(drain.signal() == SIGTERM);
  drain.wait();
}

TEST_CASE("an edge-triggered epoll set hears of it") {
  const child::DrainToken drain;
  const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = drain.fd()}};
  REQUIRE(::epoll_ctl(set.get(), EPOLL_CTL_ADD, drain.fd(), &event) == 0);
  ::raise(SIGTERM);
  CHECK(::epoll_wait(set.get(), &event, 1, generous_ms) == 1);
}

TEST_CASE("threads that wait all wake up, whichever of them gets the signal") {
  const child::DrainToken drain;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { drain.wait(); });
  ::kill(::getpid(), SIGTERM);
  for (std::thread& t : threads) t.join();
  CHECK(drain.requested());
}

TEST_CASE("a signal that the parent left blocked is heard all the same") {
  sigset_t blocked;
  sigset_t former;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &former);
  const child::DrainToken drain;
  ::raise(SIGTERM);
  CHECK(drain.requested());
  ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
}

TEST_CASE("other signals do as well, and the first one that came is told") {
  const child::DrainToken drain{SIGUSR1, SIGINT};
  ::raise(SIGINT);
  ::raise(SIGUSR1);
  CHECK(drain.signal() == SIGINT);
}

TEST_CASE(
    "asking whether to drain is no system call, and somebody who reads the descriptor changes no answer") {
  child::DrainToken drain;
  ::raise(SIGTERM);
  std::uint64_t count = 0;
  REQUIRE(::read(drain.fd(), &count, sizeof count) == sizeof count);
  CHECK(drain.requested());
  // In a process that may make no system call but read, write and _exit.
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) ::_exit(2);
    const bool yes = drain.requested() && drain.signal() == SIGTERM;
    ::syscall(SYS_exit, yes ? 0 : 1);
  }
  int how = 0;
  ::waitpid(pid, &how, 0);
  CHECK(WIFEXITED(how));
  CHECK(WEXITSTATUS(how) == 0);
}

TEST_CASE("a request to drain needs no signal") {
  child::DrainToken drain;
  drain.request();
  CHECK(drain.requested());
  CHECK(drain.signal() == 0);
}

TEST_CASE("a token leaves the handlers and the descriptors as it found them") {
  struct sigaction former {};
  former.sa_handler = SIG_IGN;
  struct sigaction original {};
  REQUIRE(::sigaction(SIGUSR2, &former, &original) == 0);
  int fd = -1;
  {
    const child::DrainToken drain{SIGUSR2};
    fd = drain.fd();
    ::raise(SIGUSR2);
  }
  struct sigaction now {};
  ::sigaction(SIGUSR2, nullptr, &now);
  CHECK((now.sa_handler == SIG_IGN));
  CHECK(::fcntl(fd, F_GETFD) == -1);
  ::sigaction(SIGUSR2, &original, nullptr);

  const child::DrainToken next{SIGUSR2};
  CHECK_FALSE(next.requested());
  CHECK(next.signal() == 0);
}

TEST_CASE("a second token is refused and the first one goes on") {
  const child::DrainToken drain;
  CHECK_THROWS_AS(child::DrainToken{}, std::logic_error);
  ::raise(SIGTERM);
  CHECK(drain.requested());
}

TEST_CASE("a signal that cannot be handled is named, and nothing stays behind") {
  struct sigaction before {};
  ::sigaction(SIGTERM, nullptr, &before);
  CHECK_THROWS_WITH_AS((child::DrainToken{SIGTERM, SIGKILL}), "handle signal 9: Invalid argument",
                       std::system_error);
  struct sigaction after {};
  ::sigaction(SIGTERM, nullptr, &after);
  CHECK((after.sa_handler == before.sa_handler));
  const child::DrainToken drain;  // its place is free
}

TEST_CASE("what the worker executes gets SIGTERM's default action back") {
  const child::DrainToken drain;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execl("/bin/sh", "sh", "-c", "kill -TERM $$", nullptr);
    ::_exit(127);
  }
  int how = 0;
  ::waitpid(pid, &how, 0);
  CHECK(WIFSIGNALED(how));
  CHECK(WTERMSIG(how) == SIGTERM);
}
