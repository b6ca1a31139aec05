// Instances seen from outside: a control socket that answers what the test says, and real sockets and
// processes.
#include "observe/observe.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "control_story.h"
#include "in_child.h"
#include "linux/base/fd.h"
#include "linux/base/socket_name.h"
#include "linux/base/unix_address.h"
#include "linux/proc/process_usage.h"
#include "linux/sockets/socket_list.h"
#include "loopback.h"
#include "own_network.h"
#include "temp_directory.h"

using namespace graced;
using Answer = ObservedInstance::Answer;

namespace {

// Lives until the end of the test, with what it had open when it was made.
class Process {
 public:
  Process() : pid_(::fork()) {
    if (pid_ != 0) return;
    for (;;) ::pause();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

WorkerReport worker(std::uint64_t generation, pid_t pid, const std::string& state) {
  WorkerReport w;
  w.generation = generation;
  w.pid = pid;
  w.state = state;
  return w;
}

struct Instances {
  ControlPlaces places() const { return {.euid = 1, .system_directory = directory.path}; }

  std::string control(const std::string& name) const {
    std::filesystem::create_directories(directory / name);
    return directory / (name + "/control");
  }

  Found found(const std::string& name) const { return {name, control(name), true}; }

  TempDirectory directory;
};

std::string address_of(const Fd& listener) {
  return fmt::format("tcp 127.0.0.1:{}", socket_name(listener.get()).endpoint.port);
}

const GenerationLoad& generation(const ObservedInstance& of, std::uint64_t number) {
  for (const GenerationLoad& g : of.generations)
    if (g.generation == number) return g;
  FAIL("there is no generation ", number);
  return of.generations.front();
}

}  // namespace

TEST_CASE("queue, limit, drops and connections of a TCP address are those that the kernel tells") {
  const OwnNetwork network;
  Instances at;
  Loopback where(Family::ipv4);
  const Fd listener = where.listen(5);
  InstanceReport report;
  report.addresses = {{"http", address_of(listener)}, {"again", address_of(listener)}};
  const Process one;
  report.workers = {worker(1, one.pid(), "ready")};
  ControlStory story("shop", at.control("shop"), report);

  const Fd first = where.connect();
  const Fd accepted = accept_from(listener);
  REQUIRE(accepted);
  const Fd second = where.connect();
  const Fd third = where.connect();

  const std::vector<ObservedInstance> seen = observe({at.found("shop")});
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].answer == Answer::told);
  CHECK(seen[0].process == story.pid());
  REQUIRE(seen[0].addresses.size() == 1);
  const AddressLoad& load = seen[0].addresses[0];
  CHECK(load.waiting == 2);
  CHECK(load.longest == 5);
  CHECK(load.drops == 0);
  CHECK(load.connected == 1);
  CHECK(connections_of(seen[0]) == 1);
  CHECK(waiting_of(seen[0]) == 2);
  CHECK(generation(seen[0], 1).connections == 1);
}

TEST_CASE("of several sockets at an address the queue that is nearest to its limit is told") {
  const OwnNetwork network;
  Instances at;
  Loopback where(Family::ipv4);
  const Fd listener = where.listen(5);
  const Fd first = where.connect();
  const Fd second = where.connect();
  const Fd roomier = where.listen(1024);
  InstanceReport report;
  report.addresses = {{"http", address_of(listener)}};
  ControlStory story("shop", at.control("shop"), report);
  const auto queue = [&] {
    const AddressLoad load = observe({at.found("shop")})[0].addresses[0];
    return fmt::format("{}/{}", load.waiting.value_or(99), load.longest.value_or(99));
  };
  CHECK(queue() == "2/5");
  accept_from(listener);
  accept_from(listener);
  CHECK(queue() == "0/1024");
}

TEST_CASE("while two generations live each has the connections whose descriptors it has") {
  const OwnNetwork network;
  Instances at;
  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  const Fd first = where.connect();
  const Fd second = where.connect();
  Fd accepted = accept_from(listener);
  const Process old;
  accepted = accept_from(listener);
  const Process young;
  accepted.reset();

  InstanceReport report;
  report.addresses = {{"http", address_of(listener)}};
  report.workers = {worker(1, old.pid(), "draining"), worker(2, young.pid(), "ready")};
  ControlStory story("shop", at.control("shop"), report);
  const std::vector<ObservedInstance> seen = observe({at.found("shop")});
  CHECK(connections_of(seen[0]) == 2);
  CHECK(generation(seen[0], 1).connections == 1);
  CHECK(generation(seen[0], 2).connections == 1);
}

TEST_CASE("queue and connections of unix sockets") {
  Instances at;
  const std::string path = at.directory / "app.sock";
  const std::string name = fmt::format("@graced-observe-{}", ::getpid());
  InstanceReport report;
  std::vector<Fd> listeners;
  std::vector<Fd> clients;
  std::vector<Fd> accepted;
  for (const std::string& where : {path, name}) {
    const UnixAddress address = unix_address(where).value();
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.get(), address.get(), address.length) == 0);
    REQUIRE(::listen(listener.get(), 7) == 0);
    for (int i = 0; i < 3; ++i) {
      clients.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      REQUIRE(::connect(clients.back().get(), address.get(), address.length) == 0);
    }
    accepted.push_back(accept_from(listener));
    listeners.push_back(std::move(listener));
    report.addresses.push_back({"app", "unix " + where});
  }
  report.addresses.push_back({"gone", "unix " + (at.directory / "gone.sock")});
  ControlStory story("shop", at.control("shop"), report);

  const std::vector<ObservedInstance> seen = observe({at.found("shop")});
  REQUIRE(seen[0].addresses.size() == 3);
  for (int i = 0; i < 2; ++i) {
    const AddressLoad& load = seen[0].addresses[static_cast<std::size_t>(i)];
    CAPTURE(load.address);
    CHECK(load.waiting == 2);
    CHECK(load.longest == 7);
    CHECK(load.connected == 1);
    CHECK(!load.drops);
  }
  CHECK(!seen[0].addresses[2].waiting);
  CHECK(!seen[0].addresses[2].connected);
}

TEST_CASE("a UDP address has drops and no queue of connections") {
  const OwnNetwork network;
  Instances at;
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  const int small = 1;
  REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
  sockaddr_in bound{};
  socklen_t length = sizeof bound;
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0);
  const Fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string datagram(1000, 'x');
  for (int i = 0; i < 50; ++i)
    ::sendto(client.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&bound),
             length);

  InstanceReport report;
  report.addresses = {{"dns", fmt::format("udp 127.0.0.1:{}", ntohs(bound.sin_port))}};
  ControlStory story("shop", at.control("shop"), report);
  const std::vector<ObservedInstance> seen = observe({at.found("shop")});
  CHECK(seen[0].addresses[0].drops.value_or(0) > 0);
  CHECK(!seen[0].addresses[0].waiting);
  CHECK(!seen[0].addresses[0].connected);
  CHECK(!connections_of(seen[0]));
}

TEST_CASE("the queue of an instance in another network is not known, whoever listens here at its address") {
  Instances at;
  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  InstanceReport report;
  report.addresses = {{"http", address_of(listener)}};
  const ControlStory story("shop", at.control("shop"), report);
  CHECK(observe({at.found("shop")})[0].addresses[0].waiting == 0);
  const OwnNetwork other;
  if (!other) return;
  const std::vector<ObservedInstance> seen = observe({at.found("shop")});
  CHECK(seen[0].answer == Answer::told);
  REQUIRE(seen[0].addresses.size() == 1);
  CHECK(!seen[0].addresses[0].waiting);
  CHECK(!seen[0].addresses[0].drops);
  CHECK(!connections_of(seen[0]));
}

TEST_CASE("memory and processor time are those of a worker and all below it, or of its cgroup") {
  Instances at;
  const Process one;
  InstanceReport report;
  report.workers = {worker(3, one.pid(), "ready"), worker(4, one.pid(), "starting"), worker(5, 0, "starting")};
  report.generations = {{4, 12345, 7s}};
  ControlStory story("shop", at.control("shop"), report);
  const std::vector<ObservedInstance> seen = observe({at.found("shop")}, {.supervisor = true});
  CHECK(seen[0].generations.size() == 2);
  const GenerationLoad& third = generation(seen[0], 3);
  CHECK(third.processes == 1);
  CHECK(third.memory.value_or(0) > 100'000);
  CHECK(third.memory_is == GenerationLoad::Memory::resident);
  CHECK(third.cpu.has_value());
  const GenerationLoad& fourth = generation(seen[0], 4);
  CHECK(fourth.memory == 12345);
  CHECK(fourth.memory_is == GenerationLoad::Memory::cgroup);
  CHECK(fourth.cpu == 7s);
  CHECK(memory_of(seen[0]) == *third.memory + 12345);
  CHECK(cpu_of(seen[0]) == *third.cpu + 7s);
  CHECK(seen[0].supervisor.cpu.has_value());
  CHECK(seen[0].supervisor.memory.value_or(0) > 100'000);
  CHECK(seen[0].supervisor.descriptors.value_or(0) >= 3);
}

TEST_CASE("an instance that hangs is silent, one that has ended is gone, and the others are told of") {
  Instances at;
  ControlStory well("well", at.control("well"));
  ControlStory hung("hung", at.control("hung"));
  ControlStory dead("dead", at.control("dead"));
  dead.kill();
  REQUIRE(::kill(hung.pid(), SIGSTOP) == 0);
  const std::vector<ObservedInstance> seen =
      observe({at.found("well"), at.found("hung"), at.found("dead")}, {.patience = 300ms});
  ::kill(hung.pid(), SIGCONT);
  CHECK(seen[0].answer == Answer::told);
  CHECK(seen[0].name == "well");
  CHECK(seen[1].answer == Answer::silent);
  CHECK(seen[1].name == "hung");
  CHECK(!seen[1].why.empty());
  CHECK(seen[2].answer == Answer::gone);
}

TEST_CASE("which instances there are is found without waking any") {
  Instances at;
  ControlStory one("one", at.control("one"));
  ControlStory two("two", at.control("two"));
  PresentInstances present(at.places());
  CHECK(present.look().size() == 2);
  REQUIRE(::kill(one.pid(), SIGSTOP) == 0);
  const auto names = [&] {
    std::vector<std::string> all;
    for (const Found& f : present.look()) all.push_back(f.name);
    return all;
  };
  // Who has a connection in its queue has been woken.
  for (int i = 0; i < 3; ++i) CHECK(names() == std::vector<std::string>{"one", "two"});
  unsigned waiting = 99;
  SocketList().each_unix_listener([&](const UnixListenerSeen& s) {
    if (s.name == at.control("one")) waiting = s.queue.waiting;
  });
  CHECK(waiting == 0);
  ::kill(one.pid(), SIGCONT);

  two.kill();
  CHECK(names() == std::vector<std::string>{"one"});
  ControlStory three("three", at.control("three"));
  CHECK(names() == std::vector<std::string>{"one", "three"});
  one.kill();
  CHECK(observe({at.found("one")})[0].answer == Answer::gone);
  present.is_gone(at.control("one"));
  CHECK(names() == std::vector<std::string>{"three"});
}

TEST_CASE("what another user's process takes is known, what it has open is not") {
  if (::geteuid() != 0) return;
  const pid_t other = ::getpid();
  const std::string seen = in_child([&]() -> std::string {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return "setuid";
    std::string text = usage_of_tree(other) ? "usage" : "no usage";
    text += proportional_memory(other) ? ", memory" : ", no memory";
    text += descriptor_count(other) ? ", descriptors" : ", no descriptors";
    text += is_in_own_network(other) == true ? ", same network" : ", no network";
    return text;
  });
  CHECK(seen == "usage, no memory, no descriptors, same network");
}

TEST_CASE("a process that is gone takes nothing that could be known") {
  pid_t gone = 0;
  {
    const Process short_lived;
    gone = short_lived.pid();
  }
  CHECK(!usage_of_process(gone));
  CHECK(!usage_of_tree(gone));
  CHECK(!is_in_own_network(gone));
}
