// Measures a supervisor from outside, closer than a script could: how long until somebody answers,
// until somebody new answers, until the old ones are gone. Results are JSON on stdout.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "linux/base/fd.h"
#include "linux/base/sys_error.h"
#include "load/options.h"
#include "load/reply.h"
#include "load/target.h"

namespace {

using namespace std::chrono_literals;
using graced::Fd;
using Clock = std::chrono::steady_clock;

constexpr auto patience = 20s;
// Asking without a pause would keep from working what is measured.
constexpr auto between_questions = 50us;

constexpr std::string_view usage =
    "usage: bench-probe start TARGET COMMAND [ARG…]          from exec to the first answer\n"
    "       bench-probe reload PID TARGET TIMES              SIGHUP to the first new process that answers, "
    "and\n"
    "                                                         until all the old ones are gone\n"
    "       bench-probe back-to-back PID TARGET SECONDS answer|gone\n"
    "                                                         how many reloads, each begun when the one "
    "before\n"
    "                                                         it has answered, or when its old ones are gone\n";

double milliseconds(Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

template <class T>
T number(std::string_view text) {
  T value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) {
    throw load::UsageError(fmt::format("'{}' is not a number", text));
  }
  return value;
}

// One request on a connection of its own. The PID that answers "pid N …"; 0 if there is no such answer.
pid_t ask(load::Target& target) {
  int result = 0;
  const Fd fd = target.connect(result);
  pollfd ready{fd.get(), POLLOUT, 0};
  if (!fd || (result != 0 && result != EINPROGRESS) || ::poll(&ready, 1, 1000) != 1) return 0;
  constexpr std::string_view question = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) return 0;
  load::Reply reply;
  char buffer[4096];
  while (reply.state() != load::Reply::State::complete) {
    ready.events = POLLIN;
    if (::poll(&ready, 1, 1000) != 1) return 0;
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return 0;
    reply.feed({buffer, static_cast<std::size_t>(n)});
  }
  const std::string body(reply.body());
  return body.starts_with("pid ") ? std::atoi(body.c_str() + 4) : 0;
}

// Until `enough` says so of an answer. Throws when patience ends.
void ask_until(load::Target& target, std::string_view what, const std::function<bool(pid_t)>& enough) {
  const auto limit = Clock::now() + patience;
  while (!enough(ask(target))) {
    if (Clock::now() > limit) throw std::runtime_error(fmt::format("{} within {} s", what, patience / 1s));
    std::this_thread::sleep_for(between_questions);
  }
}

std::vector<pid_t> children_of(pid_t pid) {
  const std::string path = fmt::format("/proc/{0}/task/{0}/children", pid);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw graced::sys_error("{}", path);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  std::vector<pid_t> children;
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    children.push_back(static_cast<pid_t>(std::strtol(at, &end, 10)));
    at = end + std::string_view(end).starts_with(' ');
  }
  return children;
}

struct Reload {
  Clock::duration answer;
  Clock::duration gone;
};

Reload reload(pid_t supervisor, load::Target& target, bool until_gone) {
  const std::vector<pid_t> old = children_of(supervisor);
  std::vector<Fd> owners;
  std::vector<pollfd> left;
  for (const pid_t pid : until_gone ? old : std::vector<pid_t>{}) {
    // One that has been reaped meanwhile is gone already.
    owners.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (owners.back()) left.push_back({owners.back().get(), POLLIN, 0});
  }

  Reload took{};
  const auto start = Clock::now();
  if (::kill(supervisor, SIGHUP) < 0) throw graced::sys_error("SIGHUP to {}", supervisor);
  ask_until(target, "no new process answered",
            [&](pid_t pid) { return pid != 0 && std::ranges::find(old, pid) == old.end(); });
  took.answer = Clock::now() - start;
  while (!left.empty()) {
    if (::poll(left.data(), left.size(), static_cast<int>(patience / 1ms)) <= 0) {
      throw std::runtime_error(
          fmt::format("{} old processes are not gone within {} s", left.size(), patience / 1s));
    }
    std::erase_if(left, [](const pollfd& p) { return p.revents != 0; });
  }
  took.gone = Clock::now() - start;
  return took;
}

// Ends what `start` started on every way out.
struct Started {
  pid_t pid = 0;
  ~Started() {
    if (pid <= 0) return;
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
  }
};

void measure_start(load::Target target, const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  Started started;
  const auto start = Clock::now();
  errno = ::posix_spawnp(&started.pid, argv[0], nullptr, nullptr, argv.data(), environ);
  if (errno != 0) throw graced::sys_error("start {}", command[0]);
  ask_until(target, "nobody answered", [&](pid_t pid) {
    if (::waitpid(started.pid, nullptr, WNOHANG) == 0) return pid != 0;
    started.pid = 0;
    throw std::runtime_error(fmt::format("{} ended before anybody answered", command[0]));
  });
  const auto took = Clock::now() - start;
  fmt::print("{{\"answer_ms\":{:.4f}}}\n", milliseconds(took));
}

void measure_reloads(pid_t supervisor, load::Target target, unsigned times) {
  std::vector<double> answer, gone;
  while (times-- > 0) {
    const Reload took = reload(supervisor, target, true);
    answer.push_back(milliseconds(took.answer));
    gone.push_back(milliseconds(took.gone));
  }
  fmt::print("{{\"answer_ms\":[{:.4f}],\"gone_ms\":[{:.4f}]}}\n", fmt::join(answer, ","), fmt::join(gone, ","));
}

void measure_back_to_back(pid_t supervisor, load::Target target, double seconds, bool until_gone) {
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration<double>(seconds);
  unsigned done = 0;
  for (; Clock::now() < end; ++done) reload(supervisor, target, until_gone);
  const std::chrono::duration<double> took = Clock::now() - start;
  fmt::print("{{\"reloads\":{},\"per_second\":{:.2f}}}\n", done, done / took.count());
}

int run(const std::vector<std::string>& args) {
  ::prctl(PR_SET_TIMERSLACK, 1);
  const std::string what = args.empty() ? "" : args[0];
  if (what == "start" && args.size() >= 3) {
    measure_start(load::Target(args[1]), {args.begin() + 2, args.end()});
  } else if (what == "reload" && args.size() == 4) {
    measure_reloads(number<pid_t>(args[1]), load::Target(args[2]), number<unsigned>(args[3]));
  } else if (what == "back-to-back" && args.size() == 5 && (args[4] == "answer" || args[4] == "gone")) {
    measure_back_to_back(number<pid_t>(args[1]), load::Target(args[2]), number<double>(args[3]),
                         args[4] == "gone");
  } else {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const load::UsageError& e) {
    fmt::print(stderr, "bench-probe: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench-probe: {}\n", e.what());
    return 1;
  }
}
