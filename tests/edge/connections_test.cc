#include "linux/connections/connections.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "as_root.h"
#include "forbid_family.h"
#include "in_child.h"
#include "kept/connection_members.h"
#include "line_server.h"
#include "linux/base/fd.h"
#include "linux/base/unix_address.h"
#include "linux/proc/proc_file.h"
#include "linux/sockets/accept_queue.h"
#include "linux/steering/steering.h"
#include "loopback.h"
#include "opening.h"
#include "temp_directory.h"
#include "through_state.h"
#include "wait_until.h"

using namespace graced;

namespace {

std::vector<int> sockets(std::initializer_list<const Fd*> fds) {
  std::vector<int> all;
  for (const Fd* fd : fds) all.push_back(fd->get());
  return all;
}

// A worker with one address, and the watch on it.
struct Watched {
  explicit Watched(Family family = Family::ipv4)
      : where(family),
        listener(where.listen()),
        worker({listener.get()}),
        watch(worker.pid(), sockets({&listener}), std::nullopt) {}

  Fd asked(int times = 3) const {
    Fd client = where.connect();
    for (int i = 0; i < times; ++i) ask(client);
    return client;
  }

  static void ask(const Fd& client) {
    say(client, "ask");
    REQUIRE(hear(client) == "answer");
  }

  bool comes_to(const std::function<bool(const Connections&)>& condition) {
    return wait_until([&] { return condition(last = watch.look()); });
  }

  // Until so many have been closed in all.
  bool closes(unsigned wanted, Duration drain_idle = 20ms) {
    unsigned closed = 0;
    return wait_until([&] {
      last = watch.look();
      closed += watch.close_idle(drain_idle);
      return closed >= wanted;
    });
  }

  Loopback where;
  Fd listener;
  LineServer worker;
  ConnectionWatch watch;
  Connections last;
};

struct UnixListener {
  explicit UnixListener(const std::string& path) : where(unix_path_address(path).value()) {
    REQUIRE(::bind(fd.get(), where.get(), where.length) == 0);
    REQUIRE(::listen(fd.get(), 64) == 0);
  }
  Fd connect() const {
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), where.get(), where.length) == 0);
    return client;
  }

  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  UnixAddress where;
};

Duration processor_time() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// The mount point of the v2 hierarchy, "" if there is none.
std::string cgroup_root() {
  std::ifstream mounts("/proc/self/mounts");
  std::string device, directory, type, rest;
  while (mounts >> device >> directory >> type && std::getline(mounts, rest)) {
    if (type == "cgroup2") return directory;
  }
  return {};
}

}  // namespace

TEST_CASE("busy and idle connections are counted, in every family") {
  for (const Family family : {Family::ipv4, Family::ipv6, Family::dual}) {
    CAPTURE(static_cast<int>(family));
    Watched w(family);
    CHECK(w.watch.look().done());

    const Fd silent = w.where.connect();
    const Fd asked = w.asked(1);
    const Fd works = w.where.connect();
    say_for_sure(works, "work");
    CHECK(w.comes_to([](const Connections& c) { return c.idle == 2 && c.busy == 1 && c.queued == 0; }));
    CHECK(!w.last.done());
    CHECK(w.last.quiet);

    w.worker.finish();
    CHECK(hear(works) == "answer");
    CHECK(w.comes_to([](const Connections& c) { return c.idle == 3 && c.busy == 0; }));
  }
}

TEST_CASE("a worker is done when its clients have left") {
  Watched w;
  Fd asked = w.asked();
  Fd works = w.where.connect();
  say_for_sure(works, "work");
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 1 && c.busy == 1; }));
  asked.reset();
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 0 && c.busy == 1; }));
  works.reset();
  CHECK(w.comes_to([](const Connections& c) { return c.done(); }));
  CHECK(!w.last.quiet);
}

TEST_CASE("a worker that is gone has nothing left") {
  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  std::optional<LineServer> worker(std::in_place, std::vector{listener.get()});
  const Fd client = where.connect();
  ConnectionWatch watch(worker->pid(), sockets({&listener}), std::nullopt);
  CHECK(wait_until([&] { return watch.look().idle == 1; }));
  worker.reset();
  CHECK(wait_until([&] { return watch.look().done(); }));
}

TEST_CASE("what waits to be accepted is counted, and found again once it is accepted") {
  Watched w;
  w.worker.stop_accepting();
  std::vector<Fd> clients;
  for (int i = 0; i < 7; ++i) clients.push_back(w.where.connect());
  CHECK(w.comes_to([](const Connections& c) { return c.queued == 7; }));
  CHECK(w.last.busy + w.last.idle == 0);
  w.worker.accept_again();
  CHECK(w.comes_to([](const Connections& c) { return c.queued == 0 && c.idle == 7; }));
}

TEST_CASE("a handshake that had begun is waited for, one that begins later is not") {
  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  Loopback::wait_for_data(listener);
  const LineServer worker({listener.get()});
  const Fd before = where.connect();
  ConnectionWatch watch(worker.pid(), sockets({&listener}), std::nullopt);
  CHECK(watch.look().half_open == 1);
  const Fd after = where.connect();
  CHECK(watch.look().half_open == 1);
  CHECK(ConnectionWatch(worker.pid(), sockets({&listener}), std::nullopt, true).look().done());
  say(before, "ask");
  CHECK(hear(before) == "answer");
  CHECK(wait_until([&] {
    const Connections c = watch.look();
    return c.half_open == 0 && c.idle == 1;
  }));
}

TEST_CASE("what the worker connected itself does not count") {
  Loopback database(Family::ipv4);
  const Fd database_listener = database.listen();
  Fd out = database.connect();
  const Fd accepted = accept_from(database_listener);

  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  const LineServer worker({listener.get()}, out.get());
  ConnectionWatch watch(worker.pid(), sockets({&listener}), std::nullopt);
  CHECK(watch.look().done());
  // The same connection seen from its other end is one, if that is another worker's.
  out.reset();
  const LineServer other({database_listener.get()}, accepted.get());
  CHECK(ConnectionWatch(other.pid(), sockets({&database_listener}), std::nullopt).look().idle == 1);
}

TEST_CASE("what a worker connects to its own address is no client, however many there are of both") {
  for (const Family family : {Family::ipv4, Family::ipv6, Family::dual}) {
    CAPTURE(static_cast<int>(family));
    for (const int own : {1, 600}) {  // asked one by one, and by the kernel's list
      CAPTURE(own);
      Watched w(family);
      for (int i = 0; i < own; ++i) w.worker.connect_to_itself();
      Fd client = w.where.connect();
      say_for_sure(client, "work");
      CHECK(w.comes_to([](const Connections& c) { return c.busy == 1 && c.queued == 0; }));
      CHECK(w.last.idle == 0);
      CHECK(w.watch.close_idle(0s) == 0);
      client.reset();
      CHECK(w.comes_to([](const Connections& c) { return c.done(); }));
    }
  }
}

TEST_CASE("what a worker connects to its own unix address is no client") {
  const TempDirectory scratch;
  const UnixListener listener(scratch / "server.sock");
  const LineServer worker({listener.fd.get()});
  worker.connect_to_itself();
  Fd client = listener.connect();
  Watched::ask(client);
  ConnectionWatch watch(worker.pid(), sockets({&listener.fd}), std::nullopt);
  CHECK(wait_until([&] { return watch.look().queued == 0; }));
  CHECK(watch.look().unix_connections == 1);
  client.reset();
  CHECK(wait_until([&] { return watch.look().done(); }));
}

TEST_CASE("another generation's connections on the same port do not count") {
  Loopback where(Family::ipv4);
  const Fd old_listener = where.listen();
  const LineServer old_worker({old_listener.get()});
  const Fd old_client = where.connect();
  Watched::ask(old_client);
  const Fd new_listener = where.listen();
  const LineServer new_worker({new_listener.get()});
  ReuseportGroup group(SteeringMethod::cbpf);
  group.joined(old_listener.get(), inode_of(old_listener));
  group.joined(new_listener.get(), inode_of(new_listener));
  group.direct_to(std::array{new_listener.get()});

  ConnectionWatch watch(old_worker.pid(), sockets({&old_listener}), std::nullopt);
  std::vector<Fd> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(where.connect());
    Watched::ask(clients.back());
    const Connections c = watch.look();
    CHECK(c.idle + c.busy == 1);
  }
  old_worker.leave_all();
  CHECK(wait_until([&] { return watch.look().done(); }));
}

TEST_CASE("connections of a process below the worker count, from wherever they are handed") {
  Watched w;
  const Fd asked = w.asked();
  const Fd works = w.where.connect();
  say_for_sure(works, "work");
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 1 && c.busy == 1; }));
  w.worker.hand_to_child();
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 1 && c.busy == 1; }));
  CHECK(w.closes(1));
  CHECK(hear(asked).empty());
}

TEST_CASE("unix connections are counted, of this listener only") {
  const TempDirectory scratch;
  const UnixListener listener(scratch / "one.sock");
  const UnixListener other(scratch / "two.sock");
  const LineServer worker({listener.fd.get(), other.fd.get()});
  ConnectionWatch watch(worker.pid(), sockets({&listener.fd}), std::nullopt);
  CHECK(watch.look().done());

  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(listener.connect());
  for (int i = 0; i < 2; ++i) clients.push_back(other.connect());
  for (const Fd& c : clients) Watched::ask(c);
  Connections c = watch.look();
  CHECK(c.unix_connections == 3);
  CHECK(c.busy + c.idle == 0);
  CHECK(watch.close_idle(0s) == 0);

  worker.stop_accepting();
  clients.push_back(listener.connect());
  c = watch.look();
  CHECK(c.queued == 1);
  CHECK(c.unix_connections == 3);
  CHECK(accept_queue(listener.fd.get()) == 1U);

  worker.accept_again();
  clients.erase(clients.begin(), clients.begin() + 3);
  CHECK(wait_until([&] {
    c = watch.look();
    return c.unix_connections == 1 && c.queued == 0;
  }));
  clients.clear();
  CHECK(wait_until([&] { return watch.look().done(); }));
}

TEST_CASE("idle connections come to an orderly end, busy ones get their answer") {
  for (const Family family : {Family::ipv4, Family::ipv6, Family::dual}) {
    CAPTURE(static_cast<int>(family));
    Watched w(family);
    std::vector<Fd> idle, busy;
    for (int i = 0; i < 20; ++i) {
      idle.push_back(w.asked(i % 4));
      busy.push_back(w.asked(i % 4));
      say_for_sure(busy.back(), "work");  // in the tick of the last answer, as a rule
    }
    CHECK(w.closes(20, 50ms));
    for (const Fd& client : idle) CHECK(hear(client).empty());
    CHECK(w.comes_to([](const Connections& c) { return c.busy == 20 && c.idle == 0; }));
    CHECK(w.watch.close_idle(50ms) == 0);
    w.worker.finish();
    for (const Fd& client : busy) CHECK(hear(client) == "answer");
    CHECK(w.closes(20, 50ms));
    for (const Fd& client : busy) CHECK(hear(client).empty());
    CHECK(w.comes_to([](const Connections& c) { return c.done(); }));
  }
}

TEST_CASE("a request that crosses with the close of an idle connection meets its end, not a reset") {
  if (!as_root("to attach a filter, on some machines,")) return;
  for (const Family family : {Family::ipv4, Family::ipv6, Family::dual}) {
    CAPTURE(static_cast<int>(family));
    Watched w(family);
    w.worker.keep_ended();
    const Fd client = w.asked();
    CHECK(w.closes(1));
    CHECK(wait_until([&] { return w.worker.ended() == 1; }));
    say(client, "ask");
    w.worker.leave_all();
    CHECK(hear(client).empty());
  }
}

TEST_CASE("closing idle connections leaves no descriptor behind") {
  Watched w;
  const Fd client = w.asked();
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 1; }));
  const std::size_t before = entries_of("/proc/self/fd").size();
  CHECK(w.closes(1));
  CHECK(entries_of("/proc/self/fd").size() == before);
}

TEST_CASE("connections that have a filter of the worker's own come to an orderly end as well") {
  if (!as_root("to attach a filter, on some machines,")) return;
  Watched w;
  sock_filter everything = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
  const sock_fprog program{1, &everything};
  const int on = 1;
  REQUIRE(::setsockopt(w.listener.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
  REQUIRE(::setsockopt(w.listener.get(), SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) == 0);
  const Fd client = w.asked();
  CHECK(w.closes(1));
  CHECK(hear(client).empty());
}

TEST_CASE("when all that is left is closed every connection ends in good order, busy or not") {
  Watched w;
  const Fd busy = w.asked();
  const Fd idle = w.asked();
  say_for_sure(busy, "work");
  CHECK(w.comes_to([](const Connections& c) { return c.busy == 1 && c.idle == 1; }));
  CHECK(w.watch.close_all() == 2);
  CHECK(w.watch.close_all() == 0);
  CHECK(hear(idle).empty());
  CHECK(hear(busy).empty());  // this worker does not finish what nobody waits for any more
  CHECK(w.comes_to([](const Connections& c) { return c.done(); }));
}

TEST_CASE("when all that is left is closed connections of a unix socket end as well") {
  const TempDirectory scratch;
  const UnixListener listener(scratch / "server.sock");
  const LineServer worker({listener.fd.get()});
  ConnectionWatch watch(worker.pid(), sockets({&listener.fd}), std::nullopt);
  const Fd client = listener.connect();
  Watched::ask(client);
  CHECK(watch.look().unix_connections == 1);
  CHECK(watch.close_all() == 1);
  CHECK(hear(client).empty());
  CHECK(wait_until([&] { return watch.look().done(); }));
}

TEST_CASE("a worker that has closed its address still has its connections, whatever has that descriptor now") {
  Loopback where(Family::ipv4);
  Fd listener = where.listen();
  const LineServer worker({listener.get()});
  ConnectionWatch watch(worker.pid(), sockets({&listener}), std::nullopt);
  const Fd client = where.connect();
  Watched::ask(client);
  const int number = listener.release();
  Loopback elsewhere(Family::ipv4);
  const Fd other = elsewhere.listen();
  const Fd queued_there = elsewhere.connect();
  REQUIRE(::dup3(other.get(), number, O_CLOEXEC) == number);
  listener = Fd(number);
  CHECK(wait_until([&] { return watch.look().idle == 1; }));
  CHECK(watch.look().queued == 0);
}

TEST_CASE("a worker that has closed its address still has its connections after another image has taken over") {
  Loopback where(Family::ipv4);
  Fd listener = where.listen();
  const LineServer worker({listener.get()});
  ConnectionWatch before(worker.pid(), sockets({&listener}), std::nullopt);
  const Fd client = where.connect();
  Watched::ask(client);
  CHECK(wait_until([&] { return before.look().idle == 1; }));
  listener.reset();
  const ConnectionWatch::Kept kept = through_state(before.kept());
  REQUIRE(kept.listeners.sockets.size() == 1);
  CHECK(kept.listeners.sockets[0].fd == -1);
  ConnectionWatch watch(kept);
  CHECK(state_text(watch.kept()) == state_text(kept));
  CHECK(watch.look().idle == 1);
  CHECK(wait_until([&] { return watch.close_idle(20ms) == 1 || watch.look().done(); }));
  CHECK(hear(client).empty());
  CHECK(wait_until([&] { return watch.look().done(); }));
}

TEST_CASE("a handshake that had begun is waited for by another image, one that begins later is not") {
  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  Loopback::wait_for_data(listener);
  const LineServer worker({listener.get()});
  const Fd early = where.connect();
  ConnectionWatch before(worker.pid(), sockets({&listener}), std::nullopt);
  const Fd late = where.connect();
  ConnectionWatch watch(through_state(before.kept()));
  CHECK(watch.look().half_open == 1);
  Watched::ask(early);
  CHECK(wait_until([&] { return watch.look().idle == 1; }));
  CHECK(watch.look().half_open == 0);
}

TEST_CASE("a connection is not idle before its time, and not once it has been asked again since the look") {
  Watched w;
  const Fd client = w.asked();
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 1; }));
  CHECK(w.watch.close_idle(1h) == 0);
  say_for_sure(client, "work");
  CHECK(w.watch.close_idle(0s) == 0);  // by what the last look saw it might have been closed
  CHECK(w.watch.look().busy == 1);
  w.worker.finish();
  CHECK(hear(client) == "answer");
  Watched::ask(client);
}

TEST_CASE("a client that has left but is still owed an answer is busy") {
  Watched w;
  const Fd client = w.asked();
  ::kill(w.worker.pid(), SIGSTOP);
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  CHECK(w.comes_to([](const Connections& c) { return c.busy == 1; }));
  CHECK(w.watch.close_idle(0s) == 0);
  ::kill(w.worker.pid(), SIGCONT);
  CHECK(w.comes_to([](const Connections& c) { return c.done(); }));
}

TEST_CASE("what the worker has not read, or its client not taken, is busy") {
  Watched w;
  const Fd unread = w.asked();
  ::kill(w.worker.pid(), SIGSTOP);
  say_for_sure(unread, "ask");
  CHECK(w.comes_to([](const Connections& c) { return c.busy == 1; }));
  CHECK(w.watch.close_idle(0s) == 0);
  ::kill(w.worker.pid(), SIGCONT);
  CHECK(hear(unread) == "answer");
}

TEST_CASE("a thousand connections are counted right, few or many of them accepted at first") {
  Watched w;
  std::vector<Fd> clients;
  for (int i = 0; i < 600; ++i) clients.push_back(w.where.connect());
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 600 && c.queued == 0; }));
  w.worker.stop_accepting();
  for (int i = 600; i < 1000; ++i) clients.push_back(w.where.connect());
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 600 && c.queued == 400; }));
  w.worker.accept_again();
  for (int i = 0; i < 250; ++i) say_for_sure(clients[static_cast<std::size_t>(i)], "work");
  CHECK(w.comes_to([](const Connections& c) { return c.busy == 250 && c.idle == 750 && c.queued == 0; }));
  CHECK(w.closes(750));
  CHECK(w.comes_to([](const Connections& c) { return c.busy == 250 && c.idle == 0; }));
  clients.clear();
  CHECK(w.comes_to([](const Connections& c) { return c.done(); }));
}

TEST_CASE("several addresses are counted together") {
  Loopback four(Family::ipv4), six(Family::ipv6), both(Family::dual);
  const Fd a = four.listen(), b = six.listen(), c = both.listen();
  const LineServer worker({a.get(), b.get(), c.get()});
  ConnectionWatch watch(worker.pid(), sockets({&a, &b, &c}), std::nullopt);
  std::vector<Fd> clients;
  for (const Loopback* where : {&four, &six, &both, &both}) {
    clients.push_back(where->connect());
    Watched::ask(clients.back());
  }
  CHECK(wait_until([&] { return watch.look().idle == 4; }));
}

TEST_CASE("connections of an MPTCP listener are counted, whichever of the two their client speaks") {
  constexpr int mptcp = 262;
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, mptcp));
  if (!listener) {
    MESSAGE("skipped: no MPTCP in this kernel");
    return;
  }
  sockaddr_in where{};
  socklen_t length = sizeof where;
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const name = reinterpret_cast<sockaddr*>(&where);
  REQUIRE(::bind(listener.get(), name, length) == 0);
  REQUIRE(::listen(listener.get(), 1024) == 0);
  REQUIRE(::getsockname(listener.get(), name, &length) == 0);
  const LineServer worker({listener.get()});
  ConnectionWatch watch(worker.pid(), sockets({&listener}), std::nullopt);

  // By descriptor first, then from the list.
  std::vector<Fd> clients;
  for (const unsigned wanted : {2U, 600U}) {
    while (clients.size() < wanted) {
      clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, clients.size() % 2 == 0 ? mptcp : 0));
      REQUIRE(::connect(clients.back().get(), name, length) == 0);
      Watched::ask(clients.back());
    }
    Connections c;
    CHECK(wait_until([&] {
      c = watch.look();
      return c.busy + c.idle == wanted && c.queued == 0;
    }));
    CHECK(c.busy + c.idle == wanted);
    CHECK(c.busy >= wanted / 2);  // of MPTCP it cannot be told
  }
  clients.clear();
  CHECK(wait_until([&] { return watch.look().done(); }));
}

TEST_CASE("without netlink the same is counted by descriptors") {
  const TempDirectory scratch;
  const UnixListener by_path(scratch / "server.sock");
  Loopback where(Family::dual);
  const Fd listener = where.listen();
  const LineServer worker({listener.get(), by_path.fd.get()});
  const Fd idle = where.connect(), busy = where.connect(), local = by_path.connect();
  for (const Fd* c : {&idle, &busy, &local}) Watched::ask(*c);
  say_for_sure(busy, "work");
  CHECK(in_child([&] {
          if (!forbid_family(AF_NETLINK)) return std::string("seccomp failed");
          ConnectionWatch watch(worker.pid(), sockets({&listener, &by_path.fd}), std::nullopt);
          const bool counted = wait_until([&] {
            const Connections c = watch.look();
            return c.idle == 1 && c.busy == 1 && c.unix_connections == 1 && c.queued == 0;
          });
          unsigned closed = 0;
          const bool all = wait_until([&] {
            watch.look();
            closed += watch.close_idle(20ms);
            return closed == 1;
          });
          const bool gone = wait_until([&] { return watch.look().idle == 0; });
          return std::string(counted && all && gone ? "as with it" : "otherwise");
        }) == "as with it");
  CHECK(hear(idle).empty());
  worker.finish();
  CHECK(hear(busy) == "answer");
}

TEST_CASE("another user's worker that we may not look at is an error that names it") {
  if (!as_root("to become another user")) return;
  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  const LineServer worker({listener.get()});
  const std::string said = in_child([&] {
    if (::setresuid(65534, 65534, 65534) < 0) return std::string("cannot become nobody");
    ConnectionWatch watch(worker.pid(), sockets({&listener}), std::nullopt);
    return error_of([&] { watch.look(); });
  });
  CHECK(said == "read /proc/" + std::to_string(worker.pid()) + "/fd: Permission denied");
}

TEST_CASE(
    "another user's worker in its own cgroup is counted all the same, and so are many connections, but not "
    "those to itself") {
  const std::string root = cgroup_root();
  const std::string mine = root + "/graced-edge-test-" + std::to_string(::getpid());
  if (root.empty() || ::mkdir(mine.c_str(), 0755) < 0) {
    MESSAGE("skipped: no cgroup v2 hierarchy that we may write to");
    return;
  }
  const std::string said = in_child([&] {
    std::ofstream(mine + "/cgroup.procs") << ::getpid() << std::flush;
    Loopback where(Family::ipv4);
    const Fd listener = where.listen();
    const LineServer worker({listener.get()});
    for (int i = 0; i < 3; ++i) worker.connect_to_itself();
    std::ofstream(root + "/cgroup.procs") << ::getpid() << std::flush;  // clients are outside
    std::vector<Fd> clients;
    for (int i = 0; i < 600; ++i) clients.push_back(where.connect());
    say_for_sure(clients.back(), "work");
    const auto counted = [&](const std::string& cgroup) {
      ConnectionWatch before(worker.pid(), sockets({&listener}), cgroup);
      ConnectionWatch watch(before.kept());
      return wait_until([&] {
        const Connections c = watch.look();
        return c.busy == 1 && c.idle == 599 && c.queued == 0;
      });
    };
    const std::string as_root = counted(mine) ? "counted" : "not counted";
    return as_root + ", " + in_child([&] {
             if (::setresuid(65534, 65534, 65534) < 0) return std::string("cannot become nobody");
             if (error_of([&] { counted(root + "/somewhere-else"); }) == "no error")
               return std::string("no error");
             return std::string(counted(mine) ? "counted" : "not counted");
           });
  });
  CHECK(said == "counted, counted");
  CHECK(wait_until([&] { return ::rmdir(mine.c_str()) == 0; }));
}

TEST_CASE("looks become rarer") {
  Watched w;
  // At least so much: a look that happens to be dear, as on a crowded machine, makes one pause longer.
  for (const Duration pause : {20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1000ms, 1000ms}) {
    w.watch.look();
    CHECK(w.watch.pause() >= pause);
  }
}

TEST_CASE("looks that are dear take a small share of a processor from the first on") {
  Watched w;
  std::vector<Fd> clients;
  for (int i = 0; i < 600; ++i) clients.push_back(w.where.connect());
  CHECK(w.comes_to([](const Connections& c) { return c.idle == 600; }));
  ConnectionWatch fresh(w.worker.pid(), sockets({&w.listener}), std::nullopt);
  const Duration before = processor_time();
  fresh.look();
  const Duration cost = processor_time() - before;
  CHECK(fresh.pause() > 40 * cost);
}
