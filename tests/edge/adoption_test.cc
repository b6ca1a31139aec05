#include "linux/adoption/adoption.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <fstream>

#include "adoption_story.h"
#include "as_root.h"
#include "in_child.h"
#include "linux/base/inode.h"
#include "linux/seccomp/seccomp_notifications.h"
#include "linux/sockets/group_key.h"
#include "own_network.h"
#include "temp_directory.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

using namespace graced;

namespace {

int tcp_socket(const Where& where, int flags = 0, int protocol = 0) {
  const int s = ::socket(where.storage.ss_family, SOCK_STREAM | flags, protocol);
  const int one = 1;
  ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  return s;
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

long bind_to(int s, const Where& where) {
  return ::bind(s, where.get(), where.length);
}

// "listens", or what went wrong.
std::string serve(int s, const Where& where) {
  if (bind_to(s, where) != 0) return "bind " + outcome(-1);
  if (::listen(s, 16) != 0) return "listen " + outcome(-1);
  return "listens";
}

AdoptedWorker::Body server(const Where& where) {
  return [where](const WorkerSide& test) {
    test.say(serve(tcp_socket(where), where));
    test.wait();
  };
}

std::vector<std::string> keys_of(AdoptedWorker& worker) {
  std::vector<std::string> keys;
  for (const AdoptedSocket& s : worker.adoption().sockets()) keys.push_back(s.key);
  return keys;
}

}  // namespace

TEST_CASE("two generations listen on one port at once") {
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t port = free_port();
  AdoptedWorker first(names, 1, server(v4(port)));
  CHECK(first.hears() == "listens");
  AdoptedWorker second(names, 2, server(v4(port)));
  CHECK(second.hears() == "listens");

  const AdoptedSocket& one = first.only_socket();
  const AdoptedSocket& two = second.only_socket();
  CHECK(one.key == two.key);
  CHECK(one.key == group_key(one.fd.get()));
  CHECK(one.address == "tcp 127.0.0.1:" + std::to_string(port));
  CHECK(one.inode != two.inode);
  CHECK(one.listening);
  CHECK(one.steerable());
  CHECK(first.adoption().changes() == 2);
  CHECK(connecting(v4(port)) == 0);

  // What graced holds keeps the port open when the workers are gone.
  first.kill();
  second.kill();
  CHECK(connecting(v4(port)) == 0);
  first.let_go();
  second.let_go();
  CHECK(connecting(v4(port)) == ECONNREFUSED);
}

TEST_CASE("a port that a stranger has is in use") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  const Fd stranger(tcp_socket(where, SOCK_CLOEXEC));
  REQUIRE(serve(stranger.get(), where) == "listens");
  AdoptedWorker worker(names, 1, [where](const WorkerSide& test) {
    const int s = tcp_socket(where);
    test.say(serve(s, where));
    test.say(std::to_string(option_of(s, SOL_SOCKET, SO_REUSEPORT)));
  });
  CHECK(worker.hears() == "bind EADDRINUSE");
  CHECK(worker.hears() == "0");
  CHECK(worker.adoption().sockets().empty());
}

TEST_CASE(
    "the worker keeps its own socket: blocking mode, options and an epoll registration made before bind") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  AdoptedWorker worker(names, 1, [where](const WorkerSide& test) {
    const int s = tcp_socket(where, SOCK_NONBLOCK | SOCK_CLOEXEC);
    set_option(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
    set_option(s, SOL_SOCKET, SO_KEEPALIVE, 1);
    const int epoll = ::epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, s, &event);
    test.say(serve(s, where));
    test.say((::fcntl(s, F_GETFL) & O_NONBLOCK) != 0 && (::fcntl(s, F_GETFD) & FD_CLOEXEC) != 0 &&
                     option_of(s, SOL_SOCKET, SO_KEEPALIVE) == 1
                 ? "as it was"
                 : "changed");
    test.say(::epoll_wait(epoll, &event, 1, -1) == 1 ? "is told" : "is told nothing");
  });
  CHECK(worker.hears() == "listens");
  CHECK(worker.hears() == "as it was");
  CHECK(connecting(where) == 0);
  CHECK(worker.hears() == "is told");
}

TEST_CASE("IPv4, IPv6 alone and both with one socket are different addresses") {
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t port = free_port();
  const auto body = [port](const WorkerSide& test) {
    const Where any4 = v4(port, INADDR_ANY);
    test.say(serve(tcp_socket(any4), any4));
    const Where any6 = v6(port, in6addr_any);
    const int only = tcp_socket(any6);
    set_option(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    test.say(serve(only, any6));
    const Where both = v6(static_cast<in_port_t>(port + 1), in6addr_any);
    const int dual = tcp_socket(both);
    set_option(dual, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    test.say(serve(dual, both));
    test.wait();
  };
  AdoptedWorker first(names, 1, body);
  AdoptedWorker second(names, 2, body);
  for (AdoptedWorker* worker : {&first, &second}) {
    CHECK(worker->hears() == "listens");
    CHECK(worker->hears() == "listens");
    CHECK(worker->hears() == "listens");
  }
  const std::vector<std::string> keys = keys_of(first);
  CHECK(keys == keys_of(second));
  CHECK(keys == std::vector<std::string>{"tcp 0.0.0.0:" + std::to_string(port),
                                         "tcp [::]:" + std::to_string(port) + " ipv6-only",
                                         "tcp [::]:" + std::to_string(port + 1)});
}

TEST_CASE(
    "a worker's second socket on its address is refused, unless it wants a group itself or closed the first") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  AdoptedWorker worker(names, 1, [where](const WorkerSide& test) {
    const int one = tcp_socket(where);
    test.say(serve(one, where));
    test.say(serve(tcp_socket(where), where));
    ::close(one);
    const int three = tcp_socket(where);
    set_option(three, SOL_SOCKET, SO_REUSEPORT, 1);
    test.say(serve(three, where));
    const int four = tcp_socket(where);
    set_option(four, SOL_SOCKET, SO_REUSEPORT, 1);
    test.say(serve(four, where));
    test.wait();
    ::close(four);
    test.say("closed");
    test.wait();
  });
  CHECK(worker.hears() == "listens");
  CHECK(worker.hears() == "bind EADDRINUSE");
  CHECK(worker.hears() == "listens");
  CHECK(worker.hears() == "listens");
  const std::vector<std::string> keys = keys_of(worker);
  REQUIRE(keys.size() == 2);  // the one that was closed is not kept open by graced
  CHECK(keys[0] == keys[1]);
  CHECK(worker.goes_and_says() == "closed");
  worker.adoption().forget_closed();
  CHECK(worker.adoption().sockets().size() == 1);
}

TEST_CASE("a worker of another user gets its address, privileged or not, beside one of graced's user") {
  if (!as_root("to become another user")) return;
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t privileged = network ? 80 : free_port();
  AdoptedWorker first(names, 1, server(v4(privileged)), {.user = 33});
  CHECK(first.hears() == "listens");
  AdoptedWorker second(names, 2, server(v4(privileged)));
  CHECK(second.hears() == "listens");
  struct stat owner {};
  REQUIRE(::fstat(first.only_socket().fd.get(), &owner) == 0);
  CHECK(owner.st_uid == 0);
  CHECK(first.adoption().take_notes().empty());
}

TEST_CASE("port 0, udp and other sockets pass through and are named") {
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t port = free_port();
  AdoptedWorker worker(names, 1, [port](const WorkerSide& test) {
    const int unknown = tcp_socket(v4(0));
    test.say(serve(unknown, v4(0)));
    sockaddr_in given{};
    socklen_t size = sizeof given;
    ::getsockname(unknown, reinterpret_cast<sockaddr*>(&given), &size);
    test.say(std::to_string(ntohs(given.sin_port)));
    test.say(outcome(bind_to(tcp_socket(v4(0)), v4(0))));  // to connect, perhaps
    test.say(outcome(bind_to(::socket(AF_INET, SOCK_DGRAM, 0), v4(port))));
    test.say(outcome(bind_to(::socket(AF_INET, SOCK_DGRAM, 0), v4(0))));
    test.wait();
  });
  CHECK(worker.hears() == "listens");
  const std::string given = worker.hears();
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "ok");
  CHECK(worker.adoption().sockets().empty());
  CHECK(worker.adoption().passed_through() ==
        std::vector<std::string>{"tcp 127.0.0.1:" + given, "udp 127.0.0.1:" + std::to_string(port)});
}

TEST_CASE("listen may be called twice, from another process and with another backlog") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  AdoptedWorker worker(names, 1, [where](const WorkerSide& test) {
    const int s = tcp_socket(where);
    test.say(serve(s, where));
    const pid_t child = ::fork();
    if (child == 0) {
      test.say(outcome(::listen(s, 5)));
      test.wait();
      ::_exit(0);
    }
    ::_exit(0);
  });
  CHECK(worker.hears() == "listens");
  CHECK(worker.hears() == "ok");
  worker.end();
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(::getsockopt(worker.only_socket().fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  CHECK(info.tcpi_sacked == 5);  // the backlog, of a listener
  CHECK(worker.adoption().changes() == 2);
  worker.go();
  CHECK(worker.hears() == "gone");
}

TEST_CASE("a process whose main thread has ended is adopted") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  AdoptedWorker worker(names, 1, [where](const WorkerSide& test) {
    struct Both {
      const WorkerSide* test;
      Where where;
    };
    static Both both;
    both = {&test, where};
    pthread_t thread;
    const auto rest = [](void*) -> void* {
      std::string line;
      const std::string path = "/proc/self/task/" + std::to_string(::getpid()) + "/stat";
      while (line.find(") Z") == std::string::npos) std::getline(std::ifstream(path), line);
      both.test->say(serve(tcp_socket(both.where), both.where));
      both.test->wait();
      return nullptr;
    };
    if (::pthread_create(&thread, nullptr, rest, nullptr) != 0) test.say("no thread");
    ::syscall(SYS_exit, 0);
  });
  const std::string said = worker.hears();
  if (said == "bind EADDRINUSE" || worker.adoption().sockets().empty()) {
    MESSAGE("this kernel has no PIDFD_THREAD (Linux 6.9)");
  }
  CHECK(said == "listens");
  CHECK(worker.only_socket().listening);
  worker.adoption().forget_closed();
  CHECK(worker.adoption().sockets().size() == 1);
}

TEST_CASE("an MPTCP listener becomes a plain TCP one with the same options") {
  const Fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
  if (!probe) {
    MESSAGE("skipped: this kernel has no MPTCP");
    return;
  }
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t port = free_port();
  const auto body = [port](const WorkerSide& test) {
    const Where where = v6(port, in6addr_any);
    const int s = tcp_socket(where, SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_MPTCP);
    set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set_option(s, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(s, SOL_SOCKET, SO_RCVBUF, 50'000);
    test.say(serve(s, where));
    test.say(option_of(s, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP ? "tcp" : "not tcp");
    test.say((::fcntl(s, F_GETFL) & O_NONBLOCK) != 0 && (::fcntl(s, F_GETFD) & FD_CLOEXEC) != 0 ? "flags"
                                                                                                : "no");
    test.say(option_of(s, SOL_SOCKET, SO_KEEPALIVE) == 1 && option_of(s, SOL_SOCKET, SO_REUSEADDR) == 1 &&
                     option_of(s, SOL_SOCKET, SO_RCVBUF) == 100'000
                 ? "options"
                 : "other options");
    test.wait();
  };
  AdoptedWorker first(names, 1, body);
  AdoptedWorker second(names, 2, body);
  for (AdoptedWorker* worker : {&first, &second}) {
    CHECK(worker->hears() == "listens");
    CHECK(worker->hears() == "tcp");
    CHECK(worker->hears() == "flags");
    CHECK(worker->hears() == "options");
    CHECK(worker->only_socket().key == "tcp [::]:" + std::to_string(port));
    CHECK(worker->adoption().take_notes().size() == 1);
    CHECK(worker->adoption().take_notes().empty());
  }
  CHECK(connecting(v4(port)) == 0);
}

TEST_CASE("a worker that binds a pre-declared address gets graced's own socket, and what was queued there") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  const Fd ours(tcp_socket(where, SOCK_CLOEXEC));
  REQUIRE(serve(ours.get(), where) == "listens");
  CHECK(connecting(where) == 0);
  AdoptedWorker worker(
      names, 1,
      [where](const WorkerSide& test) {
        const int s = tcp_socket(where, SOCK_NONBLOCK | SOCK_CLOEXEC);
        test.say(serve(s, where));
        test.say((::fcntl(s, F_GETFL) & O_NONBLOCK) != 0 && (::fcntl(s, F_GETFD) & FD_CLOEXEC) != 0 ? "flags"
                                                                                                    : "no");
        test.say(outcome(::accept(s, nullptr, nullptr)));
      },
      {.predeclared = {{group_key(ours.get()), ours.get()}}});
  CHECK(worker.hears() == "listens");
  CHECK(worker.hears() == "flags");
  CHECK(worker.hears() == "ok");
  CHECK(worker.only_socket().predeclared);
  CHECK(worker.only_socket().listening);
  CHECK(worker.only_socket().inode == inode_of(ours.get()));
  CHECK(worker.adoption().passed_through().empty());
}

TEST_CASE("a worker that binds a pre-declared port otherwise is told how it would get the socket") {
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t port = free_port();
  const Where declared = v6(port, in6addr_any);
  const Fd ours(tcp_socket(declared, SOCK_CLOEXEC));
  REQUIRE(serve(ours.get(), declared) == "listens");
  AdoptedWorker worker(names, 1, server(v4(port, INADDR_ANY)),
                       {.predeclared = {{group_key(ours.get()), ours.get()}}});
  CHECK(worker.hears() == "bind EADDRINUSE");
  const std::string p = std::to_string(port);
  CHECK(worker.adoption().take_notes() ==
        std::vector<std::string>{"the worker binds tcp 0.0.0.0:" + p + ", but tcp [::]:" + p +
                                 " is what --listen has: it gets that socket only with --listen 0.0.0.0:" + p});
}

TEST_CASE("nonsense is answered as the kernel would answer it") {
  const OwnNetwork network;
  const in_port_t port = free_port();
  const auto nonsense = [port] {
    const Where good = v4(port);
    const int s = tcp_socket(good);
    std::string said;
    const auto hear = [&](long result) { said += outcome(result) + " "; };
    const auto raw_bind = [&](int fd, const void* address, unsigned long length) {
      hear(::syscall(SYS_bind, fd, address, length));
    };
    const void* nowhere = reinterpret_cast<const void*>(8);
    raw_bind(-1, good.get(), good.length);
    raw_bind(999, good.get(), good.length);
    int ends[2];
    if (::pipe(ends) != 0) return std::string("no pipe");
    raw_bind(ends[0], good.get(), good.length);
    for (const unsigned long length : {0UL, 1UL, 3UL, 200UL, 0x7fffffffUL, 0xffffffffUL}) {
      raw_bind(s, good.get(), length);
    }
    raw_bind(s, nowhere, good.length);
    raw_bind(s, v6(port).get(), v6(port).length);
    raw_bind(s, at_path("/nowhere").get(), at_path("/nowhere").length);
    const int local = ::socket(AF_UNIX, SOCK_STREAM, 0);
    raw_bind(local, good.get(), good.length);
    for (const char* path :
         {"", "/", ".", "/nowhere/a.sock", "/proc/self/cwd/a.sock", "/dev/null/a", "/etc/"}) {
      raw_bind(local, at_path(path).get(), at_path(path).length);
    }
    raw_bind(local, at_path("/tmp/long").get(), 128);
    hear(::listen(-1, 1));
    hear(::listen(ends[0], 1));
    hear(::listen(::socket(AF_INET, SOCK_DGRAM, 0), 1));
    hear(::listen(local, 1));
    const int nameless = ::socket(AF_ALG, SOCK_SEQPACKET, 0);
    hear(nameless);
    hear(::listen(nameless, 1));
    hear(::unlink(static_cast<const char*>(nowhere)));
    hear(::unlink(""));
    hear(::unlink("/"));
    hear(::unlinkat(-1, "a", 0));
    hear(::syscall(SYS_unlinkat, AT_FDCWD, "a", 0x100));
    raw_bind(s, good.get(), good.length);
    raw_bind(s, good.get(), good.length);
    raw_bind(s, v4(static_cast<in_port_t>(port + 1)).get(), good.length);
    return said;
  };
  const std::string kernel = in_child(nonsense);
  CHECK(kernel.ends_with("ok EINVAL EINVAL "));

  const TempDirectory directory;
  AdoptedNames names;
  AdoptedWorker worker(names, 1, [&](const WorkerSide& test) {
    ::unlink((directory / "a.sock").c_str());
    const Where path = at_path(directory / "a.sock");
    test.say(serve(::socket(AF_UNIX, SOCK_STREAM, 0), path));  // so that unlinks are looked at
    test.say(nonsense());
    test.wait();
  });
  CHECK(worker.hears() == "listens");
  CHECK(worker.hears() == kernel);
  CHECK(worker.adoption().take_notes().empty());
}

TEST_CASE("sockets that are bound and closed, or bound to connect, are forgotten") {
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t port = free_port();
  const Where there = v4(free_port());
  const Fd listener(tcp_socket(there, SOCK_CLOEXEC));
  REQUIRE(serve(listener.get(), there) == "listens");
  AdoptedWorker worker(names, 1, [&](const WorkerSide& test) {
    int failed = 0;
    for (int i = 0; i < 2000; ++i) {
      const Where where = v4(static_cast<in_port_t>(30'000 + i));
      const int s = tcp_socket(where);
      if (bind_to(s, where) != 0) ++failed;
      ::close(s);
    }
    test.say(std::to_string(failed));
    const int client = tcp_socket(v4(port));
    bind_to(client, v4(port));
    test.say(outcome(::connect(client, there.get(), there.length)));
    test.wait();
    ::close(client);
    test.say("closed");
    test.wait();
  });
  CHECK(worker.hears() == "0");
  CHECK(worker.adoption().sockets().size() < 200);
  CHECK(worker.hears() == "ok");
  worker.adoption().forget_closed();
  CHECK(worker.adoption().sockets().empty());
  // Nobody but the worker held the connection: its end is one.
  const Fd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(worker.goes_and_says() == "closed");
  char byte;
  CHECK(::read(connection.get(), &byte, 1) == 0);
}

TEST_CASE("a worker that dies while it is asking holds nobody up") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  const auto body = [where](const WorkerSide& test) {
    test.say("asks");
    test.say(serve(tcp_socket(where), where));
  };
  AdoptedWorker worker(names, 1, body);
  SeccompNotifications beside(Fd(::fcntl(worker.adoption().fd(), F_DUPFD_CLOEXEC, 3)));
  std::optional<seccomp_notif> asked;
  while (!asked) asked = beside.next();
  CHECK(beside.still_asked(asked->id));
  worker.kill();
  CHECK_FALSE(beside.still_asked(asked->id));
  CHECK_FALSE(beside.answer(asked->id, 0));
  worker.adoption().answer();
  CHECK(worker.adoption().sockets().empty());
  CHECK(worker.hears() == "asks");
  CHECK(worker.hears() == "gone");

  AdoptedWorker next(names, 2, body);
  CHECK(next.hears() == "asks");
  CHECK(next.hears() == "listens");
}

TEST_CASE("a signal does not interrupt a bind that graced is busy with") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  static volatile sig_atomic_t handled = 0;
  const auto body = [where](const WorkerSide& test) {
    struct sigaction action {};
    action.sa_handler = [](int) { handled = 1; };  // no SA_RESTART
    ::sigaction(SIGUSR1, &action, nullptr);
    const long result = bind_to(tcp_socket(where), where);
    test.say(outcome(result));
    test.say(handled == 1 ? "handled" : "not handled");
  };
  const auto signalled_when_asking = [&](AdoptedWorker& worker) {
    SeccompNotifications beside(Fd(::fcntl(worker.adoption().fd(), F_DUPFD_CLOEXEC, 3)));
    std::optional<seccomp_notif> asked;
    while (!asked) asked = beside.next();
    ::kill(worker.pid(), SIGUSR1);
    return std::pair(std::move(beside), asked->id);
  };
  AdoptedWorker patient(names, 1, body);
  auto [notifications, id] = signalled_when_asking(patient);
  CHECK(notifications.answer(id, 0));
  CHECK(patient.hears() == "ok");
  CHECK(patient.hears() == "handled");

  // As before Linux 5.19.
  AdoptedWorker interrupted(names, 2, body, {.wait_killable = false});
  signalled_when_asking(interrupted);
  CHECK(interrupted.hears() == "EINTR");
  CHECK(interrupted.hears() == "handled");
}

TEST_CASE("a bind whose answer a signal may have kept away is done when it is asked for again") {
  const OwnNetwork network;
  AdoptedNames names;
  const Where where = v4(free_port());
  AdoptedWorker worker(names, 1,
                       [where](const WorkerSide& test) {
                         const int s = tcp_socket(where);
                         test.say(outcome(bind_to(s, where)));
                         test.say(outcome(bind_to(s, where)));
                         test.say(outcome(::listen(s, 4)));
                         test.say(outcome(bind_to(s, where)));
                       },
                       {.wait_killable = false});
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "EINVAL");
  CHECK(worker.adoption().sockets().size() == 1);
}

TEST_CASE("a bind that signals interrupt again and again succeeds all the same, with SA_RESTART") {
  const OwnNetwork network;
  AdoptedNames names;
  AdoptedWorker worker(names, 1,
                       [](const WorkerSide& test) {
                         struct sigaction action {};
                         action.sa_handler = [](int) {};
                         action.sa_flags = SA_RESTART;
                         ::sigaction(SIGALRM, &action, nullptr);
                         const itimerval often{{0, 150}, {0, 150}};
                         ::setitimer(ITIMER_REAL, &often, nullptr);
                         std::string said = "all";
                         for (int i = 0; i < 3000; ++i) {
                           const Where where = v4(static_cast<in_port_t>(20'000 + i));
                           const int s = tcp_socket(where);
                           if (bind_to(s, where) != 0) said = outcome(-1);
                           ::close(s);
                         }
                         const itimerval never{};
                         ::setitimer(ITIMER_REAL, &never, nullptr);
                         test.say(said);
                       },
                       {.wait_killable = false});
  CHECK(worker.hears() == "all");
}
