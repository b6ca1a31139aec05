// The other process, its two pipes, and the words that go through them.
#include "control_story.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <sstream>
#include <stdexcept>

#include "linux/control/control_server.h"
#include "linux/control/instance.h"
#include "linux/event/loop.h"

using namespace graced;

namespace {

void say(int fd, const std::string& line) {
  const std::string text = line + "\n";
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(70);
}

class Storyteller : public ControlHandler {
 public:
  Storyteller(const std::string& name, const std::string& control, InstanceReport report, int commands,
              int words, Duration greeting_limit, const std::vector<InstanceEvent>& history)
      : report_(std::move(report)),
        history_(remembered(history)),
        commands_(commands),
        words_(words),
        instance_(name, control),
        server_(instance_.take_control_socket(), *this, greeting_limit),
        source_(loop_.on_fd(commands, EPOLLIN, Priority::in_turn, [this] { obey(); })) {
    report_.pid = ::getpid();
    server_.attend(loop_);
    say(words_, "there");
  }

  void run() { loop_.run(); }

  void reload(RequestId by) override { say(words_, fmt::format("reload {}", by.value)); }
  void stop(RequestId by) override { say(words_, fmt::format("stop {}", by.value)); }
  void reload_until_settled(RequestId by) override {
    say(words_, fmt::format("reload until settled {}", by.value));
  }
  RollbackOutcome rollback(pid_t who, uid_t user) override {
    say(words_, fmt::format("rollback {} {}", who, user));
    if (report_.standby == 0) return {.why_not = "generation 1 is gone"};
    return {report_.serving, report_.standby, ""};
  }
  Aborted abort(pid_t who, uid_t user) override {
    say(words_, fmt::format("abort {} {}", who, user));
    return report_.candidate == 0 ? Aborted{0, report_.reload_queued}
                                  : Aborted{report_.candidate, report_.reload_queued};
  }
  unsigned hammer() override {
    if (throws_) throw std::runtime_error("the hammer broke");
    say(words_, "hammer");
    return 3;
  }
  void upgrade(RequestId by, UpgradeRequest request) override {
    say(words_, fmt::format("upgrade {} {} {} {}", by.value, request.binary.empty() ? "-" : request.binary,
                            request.check_only ? "check" : "do", request.token));
  }
  Subscribed subscribed() const override { return {report_.name, report_.serving}; }
  InstanceReport report() override { return report_; }
  std::vector<InstanceEvent> history(std::size_t most) override { return history_.last(most); }
  EventsSince events_since(Instant that) override { return passing_.since(that, history_); }
  LogPage log_page(std::uint64_t from) override {
    return {.place = LogPlace::kept, .next = kept_.next(), .lines = kept_.since(from, 64 * 1024)};
  }
  void control_failed(std::exception_ptr what) noexcept override { loop_.fail(what); }

 private:
  void obey() {
    const std::string line = read_line(commands_);
    std::istringstream words{line};
    std::string verb;
    std::string rest;
    words >> verb;
    std::uint64_t id = 0;
    if (verb.empty() || verb == "quit") return loop_.leave();
    if (verb == "answer") {
      words >> id >> verb >> std::ws;
      std::getline(words, rest);
      if (verb == "ok") server_.answer(RequestId{id}, true, std::stoull(rest), "");
      if (verb == "failed") server_.answer(RequestId{id}, false, 0, unescaped(rest));
    } else if (verb == "upgraded") {
      words >> id >> verb >> std::ws;
      std::getline(words, rest);
      const bool ok = verb == "ok";
      server_.upgrade_ended(RequestId{id}, ok, "0.1.0", ok ? rest : "", ok ? "" : rest);
    } else if (verb == "moves") {
      server_.shut_out();
      server_.hang_up(1s);
      server_.let_in();
    } else if (verb == "another") {
      const Instant forgotten = passing_.forgotten_by_next(history_);
      passing_ = PassingEvents();
      passing_.take_over(forgotten);
    } else if (verb == "last") {
      report_.last_upgrade = UpgradeReport{.from = "0.1.0", .to = "0.2.0", .age = 0s};
      words >> report_.last_upgrade->token >> verb >> std::ws;
      std::getline(words, report_.last_upgrade->why);
      report_.last_upgrade->ok = verb == "ok";
    } else if (verb == "phase") {
      words >> rest;
      server_.phase_changed(rest);
    } else if (verb == "worker") {
      std::uint32_t slot = 0;
      std::int32_t pid = 0;
      words >> id >> slot >> pid >> rest;
      server_.worker_changed(id, slot, pid, rest);
    } else if (verb == "finished") {
      words >> id >> rest;
      server_.reload_finished(id, rest == "ok", rest == "ok" ? "" : rest);
    } else if (verb == "happened") {
      words >> verb >> id >> std::ws;
      std::getline(words, rest);
      InstanceEvent event{.kind = instance_event_kind(verb).value(), .generation = id};
      event.at = std::chrono::system_clock::now();
      event.monotonic = monotonic_now();
      event.reason = unescaped(rest);
      server_.happened(event);
      is_remembered(event.kind) ? history_.add(event) : passing_.add(event);
    } else if (verb == "line") {
      words >> std::ws;
      std::getline(words, rest);
      kept_.begin(1);
      kept_.add(std::chrono::system_clock::time_point{5s},
                {.generation = 1, .worker = 2, .pid = 3, .at_stderr = true}, {unescaped(rest), true});
      server_.tell_log_readers();
    } else if (verb == "throw") {
      throws_ = true;
    } else if (verb == "fork") {
      const pid_t parent = ::getpid();
      if (::fork() == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (::getppid() == parent) ::pause();
        ::_exit(0);
      }
    }
    say(words_, "done");
  }

  static History remembered(const std::vector<InstanceEvent>& events) {
    History history;
    for (const InstanceEvent& e : events) history.add(e);
    return history;
  }

  static std::string unescaped(std::string text) {
    for (std::size_t at = 0; (at = text.find("\\n", at)) != std::string::npos;) text.replace(at, 2, "\n");
    return text;
  }

  InstanceReport report_;
  History history_;
  PassingEvents passing_;
  KeptOutput kept_;
  bool throws_ = false;
  int commands_;
  int words_;
  Loop loop_;
  Instance instance_;
  ControlServer server_;
  Source source_;
};

}  // namespace

ControlStory::ControlStory(const std::string& name, const std::string& control, const InstanceReport& report,
                           Duration greeting_limit, const std::vector<InstanceEvent>& history) {
  int commands[2];
  int words[2];
  REQUIRE(::pipe2(commands, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(words, O_CLOEXEC) == 0);
  Fd commands_in{commands[0]};
  Fd words_out{words[1]};
  commands_ = Fd{commands[1]};
  words_ = Fd{words[0]};

  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    commands_.reset();
    words_.reset();
    int status = 0;
    try {
      Storyteller{name, control, report, commands_in.get(), words_out.get(), greeting_limit, history}.run();
    } catch (const std::runtime_error& e) { status = 42; }
    ::_exit(status);
  }
  words_out.reset();
  REQUIRE(read_line(words_.get()) == "there");
}

ControlStory::~ControlStory() {
  if (pid_ > 0) wait();
}

std::string ControlStory::hears() {
  return read_line(words_.get());
}

void ControlStory::does(const std::string& command) {
  const std::string line = command + "\n";
  REQUIRE(::write(commands_.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  REQUIRE(hears() == "done");
}

int ControlStory::quit() {
  return wait();
}

void ControlStory::kill() {
  ::kill(pid_, SIGKILL);
  wait();
}

int ControlStory::wait() {
  commands_.reset();  // it leaves at the end of what it is told
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string read_line(int fd) {
  std::string line;
  for (;;) {
    pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&watched, 1, 20'000) != 1) throw std::runtime_error("nothing was said in 20 s");
    char c = 0;
    if (::read(fd, &c, 1) != 1 || c == '\n') return line;
    line += c;
  }
}
