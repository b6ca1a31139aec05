// A worker of a test's own: a forked process below the adoption filter, that says lines and waits for a
// word, while the test answers its questions as graced does.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "linux/adoption/adoption.h"
#include "linux/worker/spawn.h"
#include "never_destroyed.h"

namespace graced {

// What the worker's side of the test uses. Nothing of doctest works there.
class WorkerSide {
 public:
  WorkerSide(int in, int out) : in_(in), out_(out) {}
  void say(const std::string& line) const;
  void wait() const;                // until the test says go(); ends the process if the test is gone
  int told() const { return in_; }  // readable: wait() would return
  void close_the_rest() const;      // what the fork has left open, but for the standard descriptors

 private:
  int in_;
  int out_;
};

struct WorkerTraits {
  uid_t user = 0;  // becomes this one after the filter is loaded
  bool no_new_privs = false;
  bool wait_killable = true;
  std::vector<Adoption::Predeclared> predeclared = {};
};

// Its process, with nobody who answers its questions.
class FilteredWorker {
 public:
  using Body = std::function<void(const WorkerSide&)>;
  // The body begins at once.
  FilteredWorker(const Body& body, const WorkerTraits& traits);
  // A program, spawned as the daemon does it: its words come from stderr, go() writes to its stdin.
  explicit FilteredWorker(Launch launch);
  FilteredWorker(const FilteredWorker&) = delete;
  FilteredWorker& operator=(const FilteredWorker&) = delete;
  ~FilteredWorker();

  pid_t pid() const { return pid_; }
  Fd take_notifications() { return std::move(notifications_); }
  int words() const { return out_.get(); }  // readable: read_words()
  bool read_words();                        // false: it has ended
  std::optional<std::string> line();        // the first that was read and not had yet
  void go() const;
  void kill();  // SIGKILL, reaped
  void end();   // after its body has returned: reaped

 private:
  void open_pipes(Fd& its_in, Fd& its_out);

  pid_t pid_ = -1;
  Fd notifications_;
  Fd in_;
  Fd out_;
  std::string heard_;
};

class AdoptedWorker {
 public:
  using Body = FilteredWorker::Body;
  AdoptedWorker(AdoptedNames& names, std::uint64_t generation, const Body& body, WorkerTraits traits = {});
  AdoptedWorker(AdoptedNames& names, std::uint64_t generation, Launch launch);
  ~AdoptedWorker() = default;

  // The worker's next line, "gone" once it has ended; its questions are answered meanwhile.
  std::string hears();
  void go() const { process_.go(); }
  void kill() { process_.kill(); }
  void end() { process_.end(); }
  std::string goes_and_says() {
    go();
    return hears();
  }

  pid_t pid() const { return process_.pid(); }
  Adoption& adoption() { return *adoption_; }
  const AdoptedSocket& only_socket();  // REQUIREs that there is one
  // As after an upgrade: what was kept of it is another one, and the one before is never destroyed.
  void another_image(const std::function<std::unique_ptr<Adoption>(const Adoption&)>& taken_over) {
    auto next = taken_over(*adoption_);
    never_destroyed(std::move(adoption_));
    adoption_ = std::move(next);
  }
  void let_go() { adoption_.reset(); }  // what the daemon does at the end of a generation

 private:
  std::unique_ptr<Adoption> adoption_;
  FilteredWorker process_;
};

// A program for AdoptedWorker, with what the machine allows.
Launch launch_of(std::vector<std::string> command);

// 0 is told as "ok", else the errno's name: "EADDRINUSE".
std::string outcome(long result);

struct Where {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
Where v4(in_port_t port, in_addr_t address = INADDR_LOOPBACK);
Where v6(in_port_t port, const in6_addr& address = in6addr_loopback);
Where at_path(const std::string& name);  // '@' at its beginning: abstract

// A port that nobody had a moment ago, above those the kernel gives out itself.
in_port_t free_port();
// 0 or the errno of connecting; the connection is closed at once.
int connecting(const Where& where);

}  // namespace graced
