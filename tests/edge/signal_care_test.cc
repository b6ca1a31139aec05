#include "linux/proc/signal_care.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "in_child.h"

using namespace graced;

namespace {

std::string care_after(const std::function<void()>& arranged) {
  return in_child([&] {
    ::signal(SIGTERM, SIG_DFL);
    arranged();
    const auto cares = cares_for(::getpid(), SIGTERM);
    return std::string(!cares ? "unknown" : *cares ? "cares" : "does not");
  });
}

}  // namespace

TEST_CASE("a signal that is caught, ignored or blocked by any thread is not the end of a process") {
  CHECK(care_after([] {}) == "does not");
  CHECK(care_after([] { ::signal(SIGTERM, [](int) {}); }) == "cares");
  CHECK(care_after([] { ::signal(SIGTERM, SIG_IGN); }) == "cares");
  CHECK(care_after([] { ::signal(SIGINT, [](int) {}); }) == "does not");
  CHECK(care_after([] {
          std::atomic<bool> blocked = false;
          std::thread([&] {
            sigset_t term;
            ::sigemptyset(&term);
            ::sigaddset(&term, SIGTERM);
            ::pthread_sigmask(SIG_BLOCK, &term, nullptr);
            blocked = true;
            for (;;) ::pause();
          }).detach();
          while (!blocked) std::this_thread::yield();
        }) == "cares");
}

TEST_CASE("nothing is known of a process that is gone") {
  CHECK_FALSE(cares_for(1 << 22, SIGTERM));
}
