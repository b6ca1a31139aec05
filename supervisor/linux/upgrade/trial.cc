// fork(2): what happens between it and the exec is code of ours, and graced has one thread.
#include "linux/upgrade/trial.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/printable.h"
#include "linux/base/pidfd.h"
#include "linux/base/pipe_text.h"
#include "linux/base/sys_error.h"
#include "linux/proc/send_signal.h"
#include "linux/upgrade/state_file.h"
#include "linux/upgrade/trial_answer.h"

namespace graced {

namespace {

constexpr std::size_t most_answer = 4096;  // bytes; an answer is shorter
constexpr std::size_t kept_words = 2000;

// Non-blocking for us.
std::pair<Fd, Fd> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw sys_error("create a pipe for the trial of an image");
  std::pair<Fd, Fd> pipe{Fd(ends[0]), Fd(ends[1])};
  if (::fcntl(pipe.first.get(), F_SETFL, O_NONBLOCK) != 0)
    throw sys_error("create a pipe for the trial of an image");
  return pipe;
}

struct Tried {
  const NewImage& image;
  const Succession& succession;
  UpgradeCall call;
  int output;
};

// As the image will find it: all signals blocked, and nothing open but what it takes over. Its standard
// descriptors are others, so that it has nobody's terminal.
[[noreturn]] void become_tried(const Tried& tried) noexcept {
  try {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setpgid(0, 0);
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ::dup2(nothing.get(), STDIN_FILENO);
    ::dup2(tried.output, STDOUT_FILENO);
    ::dup2(tried.output, STDERR_FILENO);
    keep_over_exec(tried.succession.carried, true);
    keep_over_exec(tried.call.state, true);
    keep_over_exec(tried.call.answer, true);
    const std::string word = text_of(tried.call, ::getpid());
    const std::vector<char*> arguments = pointers_to(tried.succession.arguments);
    const std::vector<char*> environment = pointers_to(tried.succession.environment, &word);
    exec_image(tried.image.fd(), arguments.data(), environment.data());
    answer_no(tried.call.answer, fmt::format("exec: {}", ::strerror(errno)));
  } catch (...) {}  // no answer is one
  ::_exit(127);
}

std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return printable(text.substr(text.rfind('\n') + 1));
}

}  // namespace

Trial::Trial(Loop& loop, const NewImage& image, const Succession& succession, Duration limit, Done done)
    : loop_(loop), limit_(limit), done_(std::move(done)), state_(write_state(succession.state)) {
  auto [answers, answer] = make_pipe();
  auto [outputs, output] = make_pipe();
  answers_ = std::move(answers);
  outputs_ = std::move(outputs);
  answer_source_ = loop_.on_fd(answers_.get(), EPOLLIN, Priority::answer, [this] { read_answer(); });
  words_source_ = loop_.on_fd(outputs_.get(), EPOLLIN, Priority::in_turn, [this] { read_words(); });
  timer_ = loop_.timer([this] { time_came(); });
  timer_.fire_at(after(monotonic_now(), limit_));

  UpgradeCall call = call_for(UpgradeCall::Kind::trial, state_.get(), limit);
  call.answer = answer.get();
  pid_ = ::fork();
  if (pid_ < 0) throw sys_error("start the trial of {}", image.path());
  if (pid_ == 0) become_tried({image, succession, call, output.get()});
  pidfd_ = open_pidfd(pid_);
}

Trial::~Trial() {
  if (pid_ > 0) send_signal_to_child(pidfd_, pid_, SIGKILL);
}

void Trial::call_off() {
  done_ = nullptr;
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);  // with what it has started to try things
  send_signal_to_child(pidfd_, pid_, SIGKILL);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
}

void Trial::read_answer() {
  bool end = false;
  answer_ += read_available(answers_.get(), end);
  if (answer_.size() > most_answer) answer_.resize(most_answer);
  if (end) answer_source_.enable(false);
}

void Trial::read_words() {
  bool end = false;
  words_ += read_available(outputs_.get(), end);
  if (words_.size() > kept_words) words_.erase(0, words_.size() - kept_words);
  if (end) words_source_.enable(false);
}

bool Trial::ended(const ChildExit& child) {
  if (pid_ < 0 || child.pid != pid_) return false;
  pid_ = -1;
  end_ = child;
  timer_.fire_at(monotonic_now());
  return true;
}

std::string Trial::with_last_words(const std::string& fact) const {
  const std::string line = last_line(words_);
  return line.empty() ? fact : fmt::format("{}: {}", fact, line);
}

// Also one that has said yes must have ended well: what is wrong with it later than that would be as wrong
// after the exec.
TrialResult Trial::verdict(const ChildExit& child) const {
  const auto answer = parse_answer(answer_);
  // What is missing is why it cannot do what it says it cannot.
  const std::string missing = answer && answer->rights ? missing_rights(own_rights(), *answer->rights) : "";
  if (answer && !answer->yes) return {missing.empty() ? answer->no : "it " + missing};
  if (child.code != CLD_EXITED) {
    const char* name = ::sigabbrev_np(child.status);
    return {with_last_words(name ? fmt::format("it was killed by SIG{}", name)
                                 : fmt::format("it was killed by signal {}", child.status))};
  }
  if (child.status != 0) return {with_last_words(fmt::format("it exited with status {}", child.status))};
  if (answer_.empty()) return {with_last_words("it ended without an answer")};
  if (!answer) return {fmt::format("it answered what is no answer: '{}'", printable(answer_.substr(0, 100)))};
  if (!missing.empty()) return {"it " + missing};
  return {std::nullopt, answer->version};
}

// The limit, or the end: not when that is told, as the child is reaped only then, and an exec would leave it to
// an image that knows nothing of it.
void Trial::time_came() {
  if (!done_) return;
  read_answer();
  read_words();
  for (Source* source : {&answer_source_, &words_source_}) source->enable(false);
  if (pid_ > 0) send_signal_to_child(pidfd_, pid_, SIGKILL);
  const TrialResult result =
      end_ ? verdict(*end_) : TrialResult{fmt::format("it did not answer and end within {}", to_text(limit_))};
  std::exchange(done_, nullptr)(result);  // this may be gone after it
}

}  // namespace graced
