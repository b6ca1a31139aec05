#include "adoption_story.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "linux/adoption/adoption_capability.h"
#include "linux/base/pidfd.h"
#include "linux/base/unix_address.h"
#include "linux/seccomp/adoption_filter.h"

namespace graced {

namespace {

constexpr int patience = 60'000;  // ms; a test that comes near it has failed

[[noreturn]] void be_worker(int in, int out, const AdoptedWorker::Body& body, const WorkerTraits& traits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_DFL);
  if (traits.no_new_privs || ::geteuid() != 0) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const int listener = load_adoption_filter(adoption_filter(), traits.wait_killable);
  const WorkerSide side(in, out);
  side.say(listener >= 0 ? std::to_string(listener) : "refused");
  side.wait();
  ::close(listener);
  if (traits.user != 0 &&
      (::setgroups(0, nullptr) != 0 || ::setgid(traits.user) != 0 || ::setuid(traits.user) != 0)) {
    side.say("cannot change the user");
  }
  body(side);
  ::_exit(0);
}

}  // namespace

void WorkerSide::say(const std::string& line) const {
  const std::string text = line + "\n";
  if (::write(out_, text.data(), text.size()) < 0) ::_exit(1);
}

void WorkerSide::wait() const {
  char word;
  if (::read(in_, &word, 1) != 1) ::_exit(1);
}

void WorkerSide::close_the_rest() const {
  const auto [low, high] = std::minmax(in_, out_);
  ::close_range(3, static_cast<unsigned>(low) - 1, 0);
  ::close_range(static_cast<unsigned>(low) + 1, static_cast<unsigned>(high) - 1, 0);
  ::close_range(static_cast<unsigned>(high) + 1, ~0U, 0);
}

FilteredWorker::FilteredWorker(const Body& body, const WorkerTraits& traits) {
  adoption_filter();  // built before the fork
  Fd its_in;
  Fd its_out;
  open_pipes(its_in, its_out);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    in_.reset();
    out_.reset();
    be_worker(its_in.get(), its_out.get(), body, traits);
  }
  its_in.reset();
  its_out.reset();
  std::optional<std::string> number;
  while (!(number = line())) REQUIRE(read_words());
  REQUIRE(*number != "refused");
  notifications_ = copy_descriptor(open_pidfd(pid_), std::stoi(*number));
  REQUIRE(notifications_);
  go();
}

FilteredWorker::FilteredWorker(Launch launch) {
  Fd its_in;
  Fd its_out;
  open_pipes(its_in, its_out);
  launch.stdin_fd = its_in.get();
  launch.stderr_fd = its_out.get();
  auto result = spawn(launch);
  const auto* failed = std::get_if<SpawnFailed>(&result);
  REQUIRE_MESSAGE(failed == nullptr, (failed != nullptr ? failed->why : ""));
  auto& spawned = std::get<Spawned>(result);
  pid_ = spawned.pid;
  notifications_ = std::move(spawned.notifications);
  REQUIRE(notifications_);
}

FilteredWorker::~FilteredWorker() {
  if (pid_ > 0) kill();
}

void FilteredWorker::open_pipes(Fd& its_in, Fd& its_out) {
  int to_worker[2];
  int from_worker[2];
  REQUIRE(::pipe2(to_worker, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(from_worker, O_CLOEXEC) == 0);
  its_in.reset(to_worker[0]);
  in_.reset(to_worker[1]);
  out_.reset(from_worker[0]);
  its_out.reset(from_worker[1]);
}

bool FilteredWorker::read_words() {
  pollfd ready{out_.get(), POLLIN, 0};
  REQUIRE(::poll(&ready, 1, patience) > 0);
  std::array<char, 512> part;
  const ssize_t n = ::read(out_.get(), part.data(), part.size());
  if (n <= 0) return false;
  heard_.append(part.data(), static_cast<std::size_t>(n));
  return true;
}

std::optional<std::string> FilteredWorker::line() {
  const std::size_t end = heard_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = heard_.substr(0, end);
  heard_.erase(0, end + 1);
  return line;
}

void FilteredWorker::go() const {
  REQUIRE(::write(in_.get(), "x", 1) == 1);
}

void FilteredWorker::kill() {
  ::kill(pid_, SIGKILL);
  end();
}

void FilteredWorker::end() {
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

AdoptedWorker::AdoptedWorker(AdoptedNames& names, std::uint64_t generation, const Body& body,
                             WorkerTraits traits)
    : process_(body, traits) {
  adoption_ = std::make_unique<Adoption>(process_.take_notifications(), traits.wait_killable, generation, names,
                                         std::move(traits.predeclared));
}

AdoptedWorker::AdoptedWorker(AdoptedNames& names, std::uint64_t generation, Launch launch) : process_(launch) {
  adoption_ = std::make_unique<Adoption>(process_.take_notifications(), launch.adoption->wait_killable,
                                         generation, names);
}

std::string AdoptedWorker::hears() {
  while (true) {
    if (auto line = process_.line()) return *line;
    std::array<pollfd, 2> ready{pollfd{process_.words(), POLLIN, 0},
                                pollfd{adoption_ ? adoption_->fd() : -1, POLLIN, 0}};
    REQUIRE(::poll(ready.data(), ready.size(), patience) > 0);
    if ((ready[1].revents & POLLIN) != 0) adoption_->answer();
    // Its last words may still be on their way.
    const bool hung_up = (ready[1].revents & POLLHUP) != 0 && (ready[1].revents & POLLIN) == 0;
    if (ready[0].revents == 0 && !hung_up) continue;
    if (!process_.read_words()) return "gone";
  }
}

const AdoptedSocket& AdoptedWorker::only_socket() {
  REQUIRE(adoption_->sockets().size() == 1);
  return adoption_->sockets().front();
}

Launch launch_of(std::vector<std::string> command) {
  const AdoptionCapability capability = probe_adoption();
  Launch launch;
  launch.command = std::move(command);
  launch.environment = {"PATH=/usr/bin:/bin"};
  launch.adoption =
      Launch::Adoption{&adoption_filter(), capability.needs_no_new_privs, capability.wait_killable};
  return launch;
}

std::string outcome(long result) {
  return result >= 0 ? "ok" : ::strerrorname_np(errno);
}

Where v4(in_port_t port, in_addr_t address) {
  Where ip;
  auto* where = reinterpret_cast<sockaddr_in*>(&ip.storage);
  where->sin_family = AF_INET;
  where->sin_port = htons(port);
  where->sin_addr.s_addr = htonl(address);
  ip.length = sizeof *where;
  return ip;
}

Where v6(in_port_t port, const in6_addr& address) {
  Where ip;
  auto* where = reinterpret_cast<sockaddr_in6*>(&ip.storage);
  where->sin6_family = AF_INET6;
  where->sin6_port = htons(port);
  where->sin6_addr = address;
  ip.length = sizeof *where;
  return ip;
}

Where at_path(const std::string& name) {
  Where ip;
  const UnixAddress where = unix_address(name).value();
  std::memcpy(&ip.storage, &where.name, sizeof where.name);
  ip.length = where.length;
  return ip;
}

// The kernel gives out 32768 and up; the tests that run beside this one each take others.
in_port_t free_port() {
  static auto next = static_cast<in_port_t>(10'000 + ::getpid() % 20'000);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    next = static_cast<in_port_t>(next >= 31'000 ? 10'000 : next + 1);
    const Fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Where where = v6(next, in6addr_any);
    if (::bind(probe.get(), where.get(), where.length) == 0) return next;
  }
  return 0;
}

int connecting(const Where& where) {
  const Fd client(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(client.get(), where.get(), where.length) == 0 ? 0 : errno;
}

}  // namespace graced
