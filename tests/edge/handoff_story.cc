#include "handoff_story.h"

#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "handoff/kept_handoff.h"
#include "kept/handoff_members.h"
#include "linux/base/systemd.h"
#include "through_state.h"

namespace graced {

namespace {

constexpr int patience_s = 60;  // a test that comes near it has failed

class NamedServer {
 public:
  NamedServer(const WorkerSide& test, std::string name, std::vector<Served> addresses)
      : test_(test), name_(std::move(name) + "\n"), addresses_(std::move(addresses)) {}

  [[noreturn]] void run() {
    test_.close_the_rest();
    for (;;) {
      std::vector<pollfd> polled{{test_.told(), POLLIN, 0}};
      for (const int fd : sockets_) polled.push_back({fd, POLLIN, 0});
      for (const int fd : clients_) polled.push_back({fd, POLLIN, 0});
      if (::poll(polled.data(), polled.size(), -1) < 0) ::_exit(1);
      for (const pollfd& p : polled) {
        if (p.revents == 0) continue;
        if (p.fd == test_.told()) {
          test_.wait();
          step();
          break;
        }
        if (std::ranges::count(sockets_, p.fd) > 0) {
          serve(p.fd);
        } else {
          char rest;
          if (::read(p.fd, &rest, 1) > 0) continue;
          ::close(p.fd);
          std::erase(clients_, p.fd);
        }
      }
    }
  }

 private:
  void step() {
    const std::size_t at = steps_++ % addresses_.size();
    const Served& there = addresses_[at];
    if (sockets_.size() > at) ::close(sockets_[at]);
    const int fd = ::socket(there.where.storage.ss_family, there.type | SOCK_NONBLOCK, 0);
    int failed = ::bind(fd, there.where.get(), there.where.length);
    if (failed == 0 && there.type == SOCK_STREAM) failed = ::listen(fd, 16);
    test_.say(outcome(failed));
    sockets_.resize(std::max(sockets_.size(), at + 1), -1);
    sockets_[at] = fd;
  }

  void serve(int fd) {
    int type = 0;
    socklen_t size = sizeof type;
    ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    if (type == SOCK_STREAM) {
      const int client = ::accept(fd, nullptr, nullptr);
      if (client < 0) return;
      (void)!::write(client, name_.data(), name_.size());
      clients_.push_back(client);
    } else {
      Where from;
      from.length = sizeof from.storage;
      std::array<char, 16> asked;
      auto* where = reinterpret_cast<sockaddr*>(&from.storage);
      if (::recvfrom(fd, asked.data(), asked.size(), 0, where, &from.length) < 0) return;
      ::sendto(fd, name_.data(), name_.size(), 0, where, from.length);
    }
  }

  const WorkerSide& test_;
  std::string name_;
  std::vector<Served> addresses_;
  std::size_t steps_ = 0;
  std::vector<int> sockets_;
  std::vector<int> clients_;
};

}  // namespace

FilteredWorker::Body named_server(std::string name, std::vector<Served> addresses) {
  return [name = std::move(name), addresses = std::move(addresses)](const WorkerSide& test) {
    NamedServer(test, name, addresses).run();
  };
}

NamedClient::NamedClient(const Served& there)
    : fd_(::socket(there.where.storage.ss_family, there.type | SOCK_CLOEXEC, 0)) {
  const timeval limit{patience_s, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd_.get(), there.where.get(), there.where.length) != 0) failed_ = errno;
}

std::string NamedClient::told() {
  if (failed_ != 0) return ::strerrorname_np(failed_);
  std::string told;
  for (char c = 0; ::read(fd_.get(), &c, 1) == 1;) {
    if (c == '\n') return told;
    told += c;
  }
  return "nobody";
}

std::string NamedClient::asks() {
  std::array<char, 16> said;
  if (::send(fd_.get(), "who", 3, MSG_NOSIGNAL) != 3) return ::strerrorname_np(errno);
  const ssize_t n = ::recv(fd_.get(), said.data(), said.size(), 0);
  return n < 1 ? "nobody" : std::string(said.data(), static_cast<std::size_t>(n - 1));
}

HandoffStory::HandoffStory() : handoff_(std::make_unique<Handoff>(*loop_, callbacks())) {}

Handoff::Callbacks HandoffStory::callbacks() {
  return {.idle = [this](WorkerId worker) { idle.push_back(worker); },
          .changed = [](WorkerId) {},
          .note = [this](WorkerId, const std::string& note) { notes.push_back(note); },
          .held = [] {},
          .emptied = [this](GenerationId generation) { emptied.push_back(generation); }};
}

FilteredWorker& HandoffStory::start(WorkerId worker, GenerationId generation,
                                    const FilteredWorker::Body& body) {
  FilteredWorker& started = workers_.emplace_back(body, WorkerTraits{});
  handoff_->started(worker, generation, started.pid(), started.take_notifications(), true);
  return started;
}

void HandoffStory::turn() {
  REQUIRE(sd_event_run(loop_->event(), std::uint64_t{patience_s} * 1'000'000) > 0);
}

std::string HandoffStory::hears(FilteredWorker& worker) {
  bool ended = false;
  const Source words =
      loop_->on_fd(worker.words(), POLLIN, Priority::answer, [&] { ended = !worker.read_words(); });
  for (;;) {
    if (auto line = worker.line()) return *line;
    if (ended) return "gone";
    turn();
  }
}

void HandoffStory::until(const std::function<bool()>& holds) {
  while (!holds()) turn();
}

bool HandoffStory::was_idle(WorkerId worker) const {
  return std::ranges::count(idle, worker) > 0;
}

int HandoffStory::notifications(WorkerId worker) {
  ListenerNumbers numbers;
  for (const Handoff::Kept::Worker& w : handoff_->kept(numbers).tracked) {
    if (w.worker == worker && w.adoption) return w.adoption->worker.notifications;
  }
  return -1;
}

void HandoffStory::another_image() {
  ListenerNumbers numbers;
  for (const auto& l : listeners) numbers.of(l);
  const Handoff::Kept kept = through_state(handoff_->kept(numbers));
  const TakenListeners taken(through_state(numbers.kept()));
  never_destroyed(std::move(listeners));
  never_destroyed(std::move(handoff_));
  never_destroyed(std::move(loop_));
  listeners.clear();
  for (std::size_t i = 0; i < numbers.kept().size(); ++i) listeners.push_back(taken.at(i));
  loop_ = std::make_unique<Loop>();
  handoff_ = std::make_unique<Handoff>(*loop_, callbacks(), kept, taken);
  ListenerNumbers again;
  for (const auto& l : listeners) again.of(l);
  CHECK(state_text(handoff_->kept(again)) == state_text(kept));
}

}  // namespace graced
