// What runs in a handler here calls nothing but the kernel, and reads nothing but what was laid out before.
#include "linux/upgrade/resume_guard.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "linux/upgrade/succession.h"
#include "linux/upgrade/trial_answer.h"

namespace graced {

namespace {

struct Fault {
  int signo;
  const char* words;  // what the image did
};
constexpr std::array<Fault, 8> faults{{{SIGSEGV, "it was hit by SIGSEGV"},
                                       {SIGBUS, "it was hit by SIGBUS"},
                                       {SIGILL, "it was hit by SIGILL"},
                                       {SIGFPE, "it was hit by SIGFPE"},
                                       {SIGTRAP, "it was hit by SIGTRAP"},
                                       {SIGSYS, "it was hit by SIGSYS"},
                                       {SIGABRT, "it was hit by SIGABRT"},
                                       {SIGALRM, "it did not take over in time"}}};

constexpr std::size_t stack_size = 64 * 1024;

// Laid out before the first handler can run, and only read by it, but for the end of `word`.
struct WayBack {
  int image = -1;  // -1: there is none
  std::vector<std::string> strings;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::string word;  // the call, with room for the reason at its end
  std::size_t reason_at = 0;
  std::terminate_handler terminate = nullptr;
};
WayBack way;
std::atomic<bool> armed = false;
std::array<char, stack_size> handler_stack;

void say(std::string_view text) noexcept {
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

void stop_timer() noexcept {
  const itimerval off{};
  ::setitimer(ITIMER_REAL, &off, nullptr);
  ::signal(SIGALRM, SIG_IGN);  // one that is pending is forgotten by this, and would outlive the exec
  ::signal(SIGALRM, SIG_DFL);
}

void block_all() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

// signo: what to die of where there is no image to go back to; 0: exit with 1.
[[noreturn]] void go_back(std::string_view why, int signo) noexcept {
  if (!armed.exchange(false)) ::_exit(1);  // it failed while it went back
  block_all();
  stop_timer();
  if (way.image >= 0) {
    const std::size_t n = std::min(why.size(), longest_reason);
    char* at = way.word.data() + way.reason_at;
    for (std::size_t i = 0; i < n; ++i) at[i] = why[i] == '\n' ? ' ' : why[i];
    at[n] = '\0';
    exec_image(way.image, way.arguments.data(), way.environment.data());
    say("graced: an upgrade failed, and the image before cannot be run again; the new one ");
  } else {
    say("graced: it came back from an upgrade that failed, and failed itself: ");
  }
  say(why);
  say("\n");
  if (signo == 0 || signo == SIGALRM) ::_exit(1);
  ::signal(signo, SIG_DFL);
  sigset_t one;
  ::sigemptyset(&one);
  ::sigaddset(&one, signo);
  ::kill(::getpid(), signo);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  ::_exit(1);
}

void on_fault(int signo) {
  for (const Fault& fault : faults) {
    if (fault.signo == signo) go_back(fault.words, signo);
  }
  go_back("it was hit by a signal", signo);
}

[[noreturn]] void on_terminate() {
  if (const std::exception_ptr thrown = std::current_exception(); thrown && armed) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) { go_back(e.what(), SIGABRT); } catch (...) {
    }
  }
  go_back("it was ended by std::terminate", SIGABRT);
}

void on_exit() {
  if (armed) go_back("it called exit", 0);
}

void lay_out(const UpgradeCall& call, char** arguments) {
  way.image = call.kind == UpgradeCall::Kind::resume ? call.old : -1;
  UpgradeCall back = call;
  back.kind = UpgradeCall::Kind::back;
  back.old = -1;
  back.why.clear();
  way.word = text_of(back, ::getpid());
  way.reason_at = way.word.size();
  way.word.append(longest_reason + 1, '\0');
  // Copies: what lies on the first page of the stack is the first that a fault destroys.
  way.strings.clear();
  std::size_t words = 0;
  for (char** a = arguments; *a; ++a, ++words) way.strings.emplace_back(*a);
  for (char** e = environ; *e; ++e) way.strings.emplace_back(*e);
  way.arguments.clear();
  way.environment.clear();
  for (std::size_t i = 0; i < way.strings.size(); ++i)
    (i < words ? way.arguments : way.environment).push_back(way.strings[i].data());
  way.arguments.push_back(nullptr);
  way.environment.push_back(way.word.data());
  way.environment.push_back(nullptr);
}

void handle_faults() {
  stack_t stack{};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  ::sigaltstack(&stack, nullptr);
  sigset_t ours;
  ::sigemptyset(&ours);
  struct sigaction action {};
  action.sa_handler = on_fault;
  action.sa_flags = SA_ONSTACK;
  ::sigfillset(&action.sa_mask);
  for (const Fault& fault : faults) {
    ::sigaction(fault.signo, &action, nullptr);
    ::sigaddset(&ours, fault.signo);
  }
  ::sigprocmask(SIG_UNBLOCK, &ours, nullptr);
  way.terminate = std::set_terminate(on_terminate);
  static const bool registered = std::atexit(on_exit) == 0;
  (void)registered;
}

void start_timer(Duration limit) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
  const itimerval once{{0, 0}, {us / 1'000'000, us % 1'000'000}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

void leave_faults() noexcept {
  std::set_terminate(way.terminate);
  for (const Fault& fault : faults) ::signal(fault.signo, SIG_DFL);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
}

}  // namespace

// The way back does not need the descriptor of the image to outlive the exec, which would leave it open there.
ResumeGuard::ResumeGuard(const UpgradeCall& call, char** arguments)
    : state_(call.state), old_(call.old), mask_(call.mask) {
  lay_out(call, arguments);
  if (old_) keep_over_exec(old_.get(), false);
  armed = true;
  handle_faults();
  start_timer(call.limit);
}

ResumeGuard::~ResumeGuard() {
  if (!committed_) give_up("it ended before it had taken over");
}

void ResumeGuard::give_up(std::string_view why) noexcept {
  go_back(why, 0);
}

void ResumeGuard::commit(std::span<const NamedDescriptor> carried) noexcept {
  block_all();
  armed = false;
  committed_ = true;
  stop_timer();
  leave_faults();
  way = WayBack{};
  keep_over_exec(carried, false);
  state_.reset();
  old_.reset();
  sigset_t mask;
  ::sigemptyset(&mask);
  for (int signo = 1; signo <= 64; ++signo) {
    if ((mask_ & std::uint64_t{1} << (signo - 1)) != 0) ::sigaddset(&mask, signo);
  }
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
}

}  // namespace graced
