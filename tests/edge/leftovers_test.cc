// What is said of the processes that a worker left behind.
#include "linux/proc/leftovers.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace graced {
namespace {

TEST_CASE("a process that was left behind is named until it is reaped") {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ::setpgid(child, child);
  Leftovers rest(child, {});
  REQUIRE(rest.look({child}, {}));
  const std::string alive = rest.text();
  CHECK(alive == fmt::format("PID {} ({})", child, name_of(child)));

  ::kill(child, SIGKILL);
  siginfo_t ended{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  CHECK(rest.text() == alive);
  CHECK_FALSE(rest.look({child}, {}));
  CHECK(rest.text() == "");
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace graced
