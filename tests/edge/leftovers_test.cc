// What is said of the processes that a worker left behind.
#include "linux/proc/leftovers.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>

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

TEST_CASE("a process whose parent ends while it is looked for is found") {
  std::vector<pid_t> orphans{812};
  int looks = 0;
  const auto finds = [&](pid_t wanted, const std::function<void()>& meanwhile) {
    return look_while_orphans_come([&] { return orphans; },
                                   [&](const std::vector<pid_t>& seen) {
                                     ++looks;
                                     meanwhile();
                                     return std::ranges::count(seen, wanted) > 0;
                                   });
  };
  const auto nobody_comes = [] {};
  SUBCASE("by another look") {
    CHECK(finds(813, [&] { orphans = {812, 813}; }));
    CHECK(looks == 2);
  }
  SUBCASE("and one that was there before by the first") {
    CHECK(finds(812, nobody_comes));
    CHECK(looks == 1);
  }
  SUBCASE("but not where nobody comes") {
    CHECK_FALSE(finds(813, nobody_comes));
    CHECK(looks == 1);
  }
  SUBCASE("but not for ever where others come all the time") {
    CHECK_FALSE(finds(813, [&] { orphans.push_back(900 + looks); }));
    CHECK(looks == 20);
  }
}

}  // namespace
}  // namespace graced
