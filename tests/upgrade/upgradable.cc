// A program that can be replaced in place, as graced is, and says what it sees. Standard input is a socket of
// messages: a command each, and an answer to each.
//
// How an image behaves is in its file (`variant`), and tests make others by changing it there.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "linux/base/pidfd.h"
#include "linux/event/loop.h"
#include "linux/proc/child_exits.h"
#include "linux/self/signal_mask.h"
#include "linux/upgrade/named_descriptor.h"
#include "linux/upgrade/new_image.h"
#include "linux/upgrade/resume_guard.h"
#include "linux/upgrade/state_file.h"
#include "linux/upgrade/succession.h"
#include "linux/upgrade/trial.h"
#include "linux/upgrade/trial_answer.h"
#include "linux/upgrade/upgrade_call.h"

namespace graced {
namespace {

const volatile char variant_in_file[48] = "graced-variant:good";

std::string variant() {
  std::string text;
  for (const volatile char* c = variant_in_file; *c; ++c) text += *c;
  return text.substr(text.find(':') + 1);
}

struct State {
  std::string format = "1";
  unsigned upgrades = 0;
  unsigned signals = 0;
  unsigned ended = 0;
  std::vector<NamedDescriptor> carried;
};

std::string text_of(const State& state) {
  std::string text = fmt::format("{} {} {} {}\n", state.format, state.upgrades, state.signals, state.ended);
  for (const NamedDescriptor& d : state.carried)
    text += fmt::format("{} {} {} {}{} {}\n", d.fd, d.file.device, d.file.inode, d.of_starter ? '!' : '.',
                        d.kind, d.name);
  return text;
}

State parse_state(const std::string& text) {
  std::istringstream lines(text);
  State state;
  if (!(lines >> state.format >> state.upgrades >> state.signals >> state.ended))
    throw std::runtime_error("the state is no state");
  if (state.format != "1" || variant() == "refuse")
    throw std::runtime_error(fmt::format("it does not read states of format {}", state.format));
  NamedDescriptor d;
  while (lines >> d.fd >> d.file.device >> d.file.inode >> d.kind && std::getline(lines >> std::ws, d.name)) {
    d.of_starter = d.kind.front() == '!';
    d.kind.erase(0, 1);
    state.carried.push_back(d);
  }
  return state;
}

void check_descriptors(const State& state, std::vector<NamedDescriptor> ours) {
  std::vector<std::string> faults = wrong_descriptors(state.carried);
  for (std::string& fault : unnamed_descriptors(state.carried, ours)) faults.push_back(std::move(fault));
  if (!faults.empty()) throw std::runtime_error(faults.front());
}

std::vector<std::string> words_of(char** list) {
  std::vector<std::string> words;
  for (; *list; ++list) words.emplace_back(*list);
  return words;
}

[[noreturn]] void wait_for_ever() {
  for (;;) ::pause();
}

// More than any stack has.
unsigned overflow(unsigned depth) {
  volatile unsigned char bytes[4096] = {};
  return depth == 0 ? 0 : bytes[depth % sizeof bytes] + overflow(depth - 1) + bytes[1];
}

void misbehave_after() {
  const std::string how = variant();
  if (how == "segv-after") {
    void* nobodys = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(nobodys) = 1;
  }
  if (how == "bus-after") ::raise(SIGBUS);
  if (how == "fpe-after") ::raise(SIGFPE);
  if (how == "ill-after") ::raise(SIGILL);
  if (how == "overflow-after") overflow(1'000'000);
  if (how == "abort-after") std::abort();
  if (how == "exit-after") std::exit(3);
  if (how == "hang-after") wait_for_ever();
  if (how == "throw-after") throw std::runtime_error("it lost its way");
  if (how == "terminate-after") std::terminate();
}

int on_trial(const UpgradeCall& call) {
  const std::string how = variant();
  if (how == "exit1") {
    std::fprintf(stderr, "a library is missing\n");
    return 1;
  }
  if (how == "silent") return 0;
  if (how == "crash") std::abort();
  if (how == "hang") wait_for_ever();
  if (how == "garbage") return static_cast<int>(::write(call.answer, "OK\1 maybe", 9)) - 9;
  try {
    const State state = parse_state(read_state(call.state));
    check_descriptors(state, {named_descriptor("state", call.state), named_descriptor("answer", call.answer)});
    Loop loop;
    loop.event();
    answer_yes(call.answer, how);
  } catch (const std::exception& e) { answer_no(call.answer, e.what()); }
  if (how == "yes-crash") std::abort();
  return 0;
}

class Program {
 public:
  Program(State state, char** arguments)
      : state_(std::move(state)), arguments_(words_of(arguments)), environment_(words_of(environ)) {
    commands_ = loop_.on_fd(STDIN_FILENO, EPOLLIN, Priority::in_turn, [this] { obey(); });
    signals_ = loop_.on_signal(SIGUSR1, Priority::in_turn, [this](const SignalSender&) { ++state_.signals; });
    children_ = loop_.on_signal(SIGCHLD, Priority::child, [this](const SignalSender&) { reap_children(); });
    reap_children();  // SIGCHLD may have been heard by the image before
  }

  int run() {
    loop_.run();
    return 0;
  }

  void say(const std::string& text) { ::send(STDIN_FILENO, text.data(), text.size(), MSG_NOSIGNAL); }

 private:
  void reap_children() {
    while (const auto child = next_ended_child()) {
      const bool tried = trial_ && trial_->ended(*child);
      if (!tried) ++state_.ended;
      reap(child->pid);
    }
  }

  void obey() {
    std::array<char, 4096> bytes;
    const ssize_t n = ::recv(STDIN_FILENO, bytes.data(), bytes.size(), 0);
    if (n <= 0) return loop_.leave();
    std::istringstream words(std::string(bytes.data(), static_cast<std::size_t>(n)));
    std::string word;
    words >> word;
    if (word == "upgrade") {
      std::string path;
      unsigned trial_ms = 60'000;
      unsigned guard_ms = 60'000;
      words >> path >> trial_ms >> guard_ms;
      upgrade(path, std::chrono::milliseconds(trial_ms), std::chrono::milliseconds(guard_ms));
    } else if (word == "status") {
      say(status());
    } else if (word == "child") {
      say(fmt::format("{}", start_child()));
    } else if (word == "leak") {
      leaked_.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      say("done");
    } else {
      loop_.leave();
    }
  }

  std::string status() const {
    std::array<char, 17> name{};
    ::prctl(PR_GET_NAME, name.data());
    std::string mask;
    std::ifstream lines("/proc/self/status");
    while (std::getline(lines, mask) && !mask.starts_with("SigBlk:")) {}
    return fmt::format("pid={} image={} upgrades={} signals={} ended={} name={} {} call={}", ::getpid(),
                       variant(), state_.upgrades, state_.signals, state_.ended, name.data(), mask,
                       ::getenv("GRACED_UPGRADE") ? "yes" : "no");
  }

  pid_t start_child() {
    const pid_t child = ::fork();
    if (child == 0) wait_for_ever();
    const Fd pidfd = open_pidfd(child);
    state_.carried.push_back(
        named_descriptor("process of a worker", ::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 20)));
    return child;
  }

  void upgrade(const std::string& path, Duration trial_limit, Duration guard_limit) {
    try {
      auto image = std::make_shared<NewImage>(path);
      State next = state_;
      ++next.upgrades;
      Succession succession{text_of(next), state_.carried, {}, arguments_, environment_, guard_limit};
      succession.left.push_back(named_descriptor("new image", image->fd()));
      if (const auto faults = faults_of(succession); !faults.empty()) throw std::runtime_error(faults.front());
      trial_ = std::make_unique<Trial>(
          loop_, *image, succession, trial_limit,
          [=, this](const TrialResult& result) { tried(*image, succession, result.refusal); });
    } catch (const std::exception& e) { say(fmt::format("refused {}", e.what())); }
  }

  // What has happened since the trial began is in the state as well.
  void tried(const NewImage& image, Succession succession, std::optional<std::string> refusal) {
    trial_.reset();
    if (!refusal) {
      State next = state_;
      ++next.upgrades;
      succession.state = text_of(next);
      refusal = become_new_image(image, succession);
    }
    say(fmt::format("refused {}", *refusal));
  }

  State state_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<Fd> leaked_;
  Loop loop_;
  Source commands_;
  Source signals_;
  Source children_;
  std::unique_ptr<Trial> trial_;
};

// What an image builds while it takes over owns files and processes: it must not be taken down on the way back.
struct TakenOver {
  ~TakenOver() {
    if (std::uncaught_exceptions() > 0) std::fprintf(stderr, "what was taken over is removed\n");
  }
};

// Nothing is caught here, nor in any caller.
State take_over(const UpgradeCall& call, char** arguments) {
  const bool back = call.kind == UpgradeCall::Kind::back;
  ResumeGuard guard(call, arguments);
  const TakenOver something;
  State state = parse_state(read_state(call.state));
  std::vector<NamedDescriptor> ours{named_descriptor("state", call.state)};
  if (call.old >= 0) ours.push_back(named_descriptor("image before", call.old));
  check_descriptors(state, ours);
  if (variant() == "says-no-after") guard.give_up("it does not like\nthis machine");
  if (!back) misbehave_after();
  if (back && variant() == "frail") ::raise(SIGSEGV);
  if (back) --state.upgrades;
  guard.commit(state.carried);
  return state;
}

int resume(const UpgradeCall& call, char** arguments) {
  Program program(take_over(call, arguments), arguments);
  const bool back = call.kind == UpgradeCall::Kind::back;
  program.say(back ? fmt::format("back {}", call.why) : fmt::format("resumed {}", variant()));
  return program.run();
}

int start(char** arguments) {
  block_signals();
  State state;
  const int listener = ::fcntl(Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)).get(), F_DUPFD_CLOEXEC, 10);
  if (::listen(listener, 8) != 0) return 1;
  state.carried.push_back(named_descriptor("listener http", listener));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return 1;
  state.carried.push_back(named_descriptor("output of a worker", ends[0]));
  state.carried.push_back(named_descriptor("output of a worker, its end", ends[1]));
  for (NamedDescriptor& d : starter_descriptors(state.carried, {})) state.carried.push_back(std::move(d));
  Program program(std::move(state), arguments);
  program.say("started");
  return program.run();
}

int main(char** arguments) {
  const auto call = take_upgrade_call();
  if (call && call->kind != UpgradeCall::Kind::trial) return resume(*call, arguments);
  try {
    return call ? on_trial(*call) : start(arguments);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "upgradable: %s\n", e.what());
    return 1;
  }
}

}  // namespace
}  // namespace graced

int main(int, char** argv) {
  return graced::main(argv);
}
