// Who is dispatched when several things are waiting, on the real kernel.
#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "linux/base/fd.h"
#include "linux/event/loop.h"

namespace graced {
namespace {

// Somebody who is never done, and what is waiting beside him.
class Busy {
 public:
  explicit Busy(Priority priority)
      : ready_{::eventfd(1, EFD_CLOEXEC)}, source_(loop.on_fd(ready_.get(), EPOLLIN, priority, [this] {
          if (++turns > 1'000'000) loop.leave();
        })) {}

  Loop loop;
  int turns = 0;

 private:
  Fd ready_;
  Source source_;
};

TEST_CASE("a timer has its turn beside what is always ready") {
  Busy busy(Priority::in_turn);
  bool fired = false;
  Source timer = busy.loop.timer([&] {
    fired = true;
    busy.loop.leave();
  });
  timer.fire_at(monotonic_now() + 1ms);
  busy.loop.run();
  CHECK(fired);
}

TEST_CASE("of two that are always ready each has as many turns") {
  Busy busy(Priority::in_turn);
  const Fd other{::eventfd(1, EFD_CLOEXEC)};
  int turns = 0;
  const Source source = busy.loop.on_fd(other.get(), EPOLLIN, Priority::in_turn, [&] {
    if (++turns == 100) busy.loop.leave();
  });
  busy.loop.run();
  CHECK(busy.turns >= 99);
  CHECK(busy.turns <= 101);
}

}  // namespace
}  // namespace graced
