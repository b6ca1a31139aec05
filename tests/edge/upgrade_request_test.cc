// Who asks for an upgrade is told what came of it; the images are those of the other tests, and none takes
// over.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>

#include "daemon/upgrade.h"
#include "in_child.h"
#include "linux/self/signal_mask.h"
#include "temp_directory.h"
#include "upgrade_story.h"

namespace graced {
namespace {

// In a process of its own, whose children and descriptors are all known.
class Asking {
 public:
  explicit Asking(Duration tries_limit = 60s) : tries_limit_(tries_limit) {
    ::close_range(3, report - 1, 0);
    ::close_range(report + 1, ~0U, 0);
    block_signals();
    children_ = loop.on_signal(SIGCHLD, Priority::child, [this](const SignalSender&) {
      while (const auto child = next_ended_child()) {
        upgrade.ended(*child);
        reap(child->pid);
      }
    });
  }

  // What has come of all that was asked, a line each, once there are so many.
  std::string outcomes(unsigned count) {
    wanted_ = count;
    if (told_ < wanted_) loop.run();
    return text_;
  }

  std::string image(const std::string& behaviour) const {
    write_image(directory_ / behaviour, behaviour);
    return directory_ / behaviour;
  }

  // As where a socket is about to be closed; nothing of the loop has run since it began.
  std::string call_off() { return upgrade.call_off_trial() ? "called off, " : "no trial, "; }

 private:
  Duration tries_limit_;

 public:
  Loop loop;
  std::string in_the_way;
  std::string state = "1 0 0 0\n";
  Upgrade upgrade{loop,
                  "0.1.0",
                  {[this] { return in_the_way; },
                   [this] {
                     if (state.empty()) throw std::runtime_error("there is no state");
                     return Succession{state, {}, {named_descriptor("report", report)}, {"graced"}, {}, 10s};
                   },
                   [this] { return text_ += "leaves\n", true; }, [this] { text_ += "goes on\n"; },
                   [this](const UpgradeOutcome& outcome) { told(outcome); }},
                  60s,
                  tries_limit_};

 private:
  static constexpr int report = 200;  // see in_child()

  void told(const UpgradeOutcome& o) {
    text_ += fmt::format("{} {} {}→{} {}\n", o.token, o.ok ? "ok" : "no", o.from, o.to, o.why);
    if (++told_ >= wanted_) loop.leave();
  }

  TempDirectory directory_;
  std::string text_;
  unsigned told_ = 0;
  unsigned wanted_ = ~0U;
  Source children_;
};

TEST_CASE("an image that is only to be tried is, and both versions are told") {
  CHECK(in_child([] {
          Asking a;
          a.upgrade.asked({a.image("good"), true, "t1"});
          return a.outcomes(1);
        }) == "t1 ok 0.1.0→good \n");
}

TEST_CASE("an upgrade waits for what is in its way, and is tried then") {
  CHECK(in_child([] {
          Asking a;
          a.in_the_way = "a reload";
          a.upgrade.asked({a.image("good"), true, "t1"});
          a.upgrade.look();
          const std::string waited = a.upgrade.waits_for();
          a.in_the_way.clear();
          a.upgrade.look();
          return "waits for " + waited + ", then " + a.upgrade.waits_for() + a.outcomes(1);
        }) == "waits for a reload, then t1 ok 0.1.0→good \n");
}

TEST_CASE("a second upgrade is refused while one waits or is tried, and both askers are told") {
  const std::string said = in_child([] {
    Asking a;
    a.in_the_way = "a reload";
    a.upgrade.asked({a.image("good"), true, "t1"});
    a.upgrade.asked({a.image("other"), true, "t2"});
    a.in_the_way.clear();
    a.upgrade.look();
    a.upgrade.asked({a.image("other"), true, "t3"});
    return a.outcomes(3);
  });
  CHECK(said.find("t2 no 0.1.0→ another upgrade is under way: ") == 0);
  CHECK(said.find("/good waits for a reload\n") != std::string::npos);
  CHECK(said.find("/good is tried\n") != std::string::npos);
  CHECK(said.ends_with("t1 ok 0.1.0→good \n"));
}

TEST_CASE("who may less than graced does not get its rights by an image that others could have written") {
  const std::string said = in_child([] {
    Asking a;
    const std::string image = a.image("good");
    ::chmod(image.c_str(), 0777);
    a.upgrade.asked({image, true, "t1"}, true);
    if (::geteuid() != 0) return a.outcomes(1);
    ::chmod(image.c_str(), 0755);
    (void)!::chown(image.c_str(), 65534, 0);
    a.upgrade.asked({image, true, "t2"}, true);
    (void)!::chown(image.c_str(), 0, 0);
    a.upgrade.asked({image, true, "t3"}, true);
    return a.outcomes(3);
  });
  CHECK(said.find("t1 no 0.1.0→ /") == 0);
  CHECK(
      said.find("could have been written by others than root, and graced has capabilities: only root may have "
                "it take over\n") != std::string::npos);
  if (::geteuid() != 0) return;
  CHECK(said.find("\nt2 no 0.1.0→ /") != std::string::npos);
  CHECK(said.ends_with("\nt3 ok 0.1.0→good \n"));
}

TEST_CASE("an image that cannot be opened, or fails its trial, is refused") {
  const std::string said = in_child([] {
    Asking a;
    a.upgrade.asked({"/nowhere/graced", false, "t1"});
    a.upgrade.asked({a.image("exit1"), false, "t2"});
    return a.outcomes(2);
  });
  CHECK(said.find("t1 no 0.1.0→ /nowhere/graced: No such file or directory\nt2 no 0.1.0→ /") == 0);
  CHECK(said.find("/exit1: it exited with status 1: a library is missing\n") != std::string::npos);
}

TEST_CASE("an upgrade for which there is no state is refused") {
  CHECK(in_child([] {
          Asking a;
          a.state.clear();
          a.upgrade.asked({a.image("good"), false, "t1"});
          return a.outcomes(1);
        }) == "t1 no 0.1.0→ there is no state\n");
}

TEST_CASE("a descriptor without a name is a reason that the asker is told") {
  CHECK(in_child([] {
          Asking a;
          const Fd forgotten(::open("/dev/null", O_RDONLY | O_CLOEXEC));
          a.upgrade.asked({a.image("good"), true, "t1"});
          return a.outcomes(1);
        }).ends_with(" (/dev/null) is not named in the state\n"));
}

TEST_CASE("one that waits or is tried is given up where graced stops") {
  CHECK(in_child([] {
          Asking a;
          a.in_the_way = "a reload";
          a.upgrade.asked({a.image("good"), false, "t1"});
          a.upgrade.give_up("graced stops");
          a.in_the_way.clear();
          a.upgrade.asked({a.image("hang"), false, "t2"});
          a.upgrade.give_up("graced stops");
          a.upgrade.give_up("graced stops");
          a.upgrade.asked({a.image("good"), true, "t3"});
          return a.outcomes(3);
        }) == "t1 no 0.1.0→ graced stops\nt2 no 0.1.0→ graced stops\nt3 ok 0.1.0→good \n");
}

TEST_CASE(
    "under steady reloads an upgrade is tried again for a while, and then the asker is told why it is not") {
  CHECK(in_child([] {
          Asking a;
          a.upgrade.asked({a.image("good"), true, "t1"});
          std::string said = a.call_off();
          said += a.call_off();
          a.upgrade.look();
          said += a.call_off();
          a.upgrade.look();
          return said + a.outcomes(1);
        }) == "called off, no trial, called off, t1 ok 0.1.0→good \n");
  const std::string said = in_child([] {
    Asking a(0s);
    a.upgrade.asked({a.image("hang"), false, "t1"});
    std::string called_off = a.call_off();
    called_off += a.upgrade.is_waiting() ? "waits, " : "ended, ";
    a.in_the_way = "a reload";
    a.upgrade.look();
    a.in_the_way.clear();
    a.upgrade.asked({a.image("good"), true, "t2"});
    return called_off + a.outcomes(2);
  });
  CHECK(said.find("called off, waits, t1 no 0.1.0→ /") == 0);
  CHECK(said.find("/hang: since its first trial ") != std::string::npos);
  CHECK(said.find(
            " ago a reload or something like it has come between each time; ask again when there are fewer of "
            "them\n") != std::string::npos);
  CHECK(said.ends_with("t2 ok 0.1.0→good \n"));
}

TEST_CASE("a good trial that comes too late each time is one of those that came to nothing") {
  const std::string said = in_child([] {
    Asking a(0s);
    a.upgrade.asked({a.image("good"), false, "t1"});
    a.in_the_way = "a reload";
    while (!a.upgrade.is_waiting()) sd_event_run(a.loop.event(), std::numeric_limits<std::uint64_t>::max());
    a.in_the_way.clear();
    a.upgrade.look();
    return a.outcomes(1);
  });
  CHECK(said.find("t1 no 0.1.0→good /") == 0);
  CHECK(said.find("/good: since its first trial ") != std::string::npos);
}

// As it changes its file while the trial is under way.
TEST_CASE("where the exec fails after all askers are let in again") {
  const std::string said = in_child([] {
    Asking a;
    a.upgrade.asked({a.image("good"), false, "t1"});
    const std::string file = a.image("good");
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now());
    return a.outcomes(1);
  });
  CHECK(said.find("leaves\ngoes on\nt1 no 0.1.0→good /") == 0);
  CHECK(said.ends_with("/good was written to after it was tried\n"));
}

}  // namespace
}  // namespace graced
