// Between the trial and the first step of the other image there is a time in which nobody looks. strace(1)
// makes it long; what happens in it is seen after it.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "upgrade_story.h"
#include "wait_until.h"

namespace graced {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Follows one process, not its children: the trial's exec is as it is.
class Injected {
 public:
  Injected(const UpgradeStory& story, const std::string& what) : pid_(story.pid()) {
    const std::string injection = "inject=execveat:" + what;
    const std::string number = std::to_string(pid_);
    const std::string log = story.path("strace");
    strace_ = ::fork();
    if (strace_ == 0) {
      ::execlp("strace", "strace", "-o", log.c_str(), "-e", "trace=execveat", "-e", injection.c_str(), "-p",
               number.c_str(), nullptr);
      ::_exit(127);
    }
    attached_ = wait_until([&] { return is_traced() || ended(); }) && is_traced();
    if (!attached_) MESSAGE("skipped: strace is not installed, or may not trace here");
  }
  Injected(const Injected&) = delete;
  Injected& operator=(const Injected&) = delete;
  ~Injected() {
    if (!ended_) ::kill(strace_, SIGTERM);
    if (!ended_) ::waitpid(strace_, nullptr, 0);
  }

  explicit operator bool() const { return attached_; }

  // It is in the call, and strace holds it there.
  bool holds() const {
    return wait_until([&] { return in_call() && state() == 't'; });
  }

 private:
  bool is_traced() const {
    const std::string status = contents(fmt::format("/proc/{}/status", pid_));
    return status.find("TracerPid:\t" + std::to_string(strace_) + "\n") != std::string::npos;
  }
  bool ended() {
    if (!ended_) ended_ = ::waitpid(strace_, nullptr, WNOHANG) == strace_;
    return ended_;
  }
  bool in_call() const {
    long number = -1;
    std::istringstream(contents(fmt::format("/proc/{}/syscall", pid_))) >> number;
    return number == SYS_execveat;
  }
  char state() const {
    const std::string stat = contents(fmt::format("/proc/{}/stat", pid_));
    const std::size_t end = stat.rfind(')');
    return end == std::string::npos || end + 2 >= stat.size() ? '?' : stat[end + 2];
  }

  pid_t pid_;
  pid_t strace_ = -1;
  bool ended_ = false;
  bool attached_ = false;
};

TEST_CASE("a signal and a child's end between trial and exec are seen by the image that takes over") {
  const UpgradeStory story;
  const pid_t child = std::stoi(story.ask("child"));
  const Injected injected(story, "delay_enter=1000000");
  if (!injected) return;
  story.tell("upgrade " + story.image("other"));
  REQUIRE(injected.holds());
  ::kill(story.pid(), SIGUSR1);
  ::kill(child, SIGKILL);
  CHECK(story.hear() == "resumed other");
  CHECK(wait_until([&] {
    return story.ask("status").find("image=other upgrades=1 signals=1 ended=1 ") != std::string::npos;
  }));
}

TEST_CASE("a signal and a child's end while an image takes over are seen by the one that comes back") {
  const UpgradeStory story;
  const pid_t child = std::stoi(story.ask("child"));
  const Injected injected(story, "delay_exit=1000000");
  if (!injected) return;
  story.tell("upgrade " + story.image("throw-after"));
  CHECK(wait_until([&] { return story.image_that_runs() == "throw-after"; }));
  ::kill(story.pid(), SIGUSR1);
  ::kill(child, SIGKILL);
  CHECK(story.hear() == "back it lost its way");
  CHECK(wait_until([&] {
    return story.ask("status").find("image=good upgrades=0 signals=1 ended=1 ") != std::string::npos;
  }));
}

TEST_CASE("where the kernel refuses the exec after a good trial all goes on as before") {
  for (const char* code : {"ENOMEM", "EACCES", "ETXTBSY"}) {
    const UpgradeStory story;
    const std::string before = story.ask("status");
    const auto descriptors = story.descriptors();
    const Injected injected(story, std::string("error=") + code);
    if (!injected) return;
    const std::string said = story.upgrade_to("other");
    CHECK(said.starts_with(fmt::format("refused exec {}: ", story.path("other"))));
    CHECK(story.ask("status") == before);
    CHECK(story.descriptors() == descriptors);
  }
}

}  // namespace
}  // namespace graced
