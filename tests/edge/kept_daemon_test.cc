// What the daemon was told, has told and remembers goes on in the image that takes its place.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "daemon/daemon_members.h"
#include "daemon/event_pump.h"
#include "daemon/plan.h"
#include "in_child.h"
#include "linux/base/file_id.h"
#include "linux/base/pipe_text.h"
#include "never_destroyed.h"
#include "notify_listener.h"
#include "state/supervisor_members.h"
#include "temp_directory.h"
#include "through_state.h"

namespace graced {
namespace {

struct Lines {
  std::vector<std::string> all{};
  Log log{LogFormat::text, LogLevel::info, "shop", [this](std::string_view line) { all.emplace_back(line); }};

  std::size_t with(std::string_view text) const {
    std::size_t n = 0;
    for (const std::string& line : all) n += line.find(text) != std::string::npos ? 1 : 0;
    return n;
  }
};

TEST_CASE("an instance that is taken over is as old as it was, and its PID file is nobody else's") {
  const TempDirectory d;
  RunOptions options;
  options.name = "shop";
  options.control = d / "graced/shop/control";
  options.pid_file = d / "a.pid";
  const std::string said = in_child([&] {
    const auto kept = before<Presence>(options, nullptr).kept();
    std::string text;
    {
      Presence after(through_state(kept));
      text += after.since() == kept.since ? "as old" : "of another age";
      text += after.instance().control_path() == options.control ? ", the same place" : ", another place";
      text += ", " + in_child([&] {
                const PidFile second(*options.pid_file);
                return std::string("nobody has it");
              });
    }
    return text + (std::filesystem::exists(d / "a.pid") ? ", left" : ", gone");
  });
  CHECK(said.find("as old, the same place, ") == 0);
  CHECK(said.find("another graced that runs has it (PID ") != std::string::npos);
  CHECK(said.ends_with(", gone"));
}

TEST_CASE("an instance without a PID file has none after it was taken over") {
  const TempDirectory d;
  RunOptions options;
  options.name = "shop";
  options.control = d / "graced/shop/control";
  CHECK(in_child([&] {
          const auto kept = through_state(before<Presence>(options, nullptr).kept());
          { const Presence after(kept); }
          return std::string(!kept.pid_file && d.empty() ? "none" : "one");
        }) == "none");
}

TEST_CASE("the descriptors of a launcher have names in the state, and are the same in the next one") {
  auto& first = before<Launcher>(Launcher::Names{"shop", "/run/control", "/run/notify"});
  const Launcher::Kept kept = first.kept();
  StateWriter state("this");
  state.add("launcher", kept);
  REQUIRE_FALSE(state.carried().empty());
  CHECK(state.carried().front() == StateDescriptor{"launcher.dev-null", kept.dev_null});
  Launcher next({"shop", "/run/control", "/run/notify"}, through_state(kept));
  CHECK(next.kept().dev_null == kept.dev_null);
  CHECK(file_id(next.kept().dev_null) == file_id("/dev/null"));
  CHECK(next.cgroups().had() == first.cgroups().had());
  CHECK(next.cgroups().why_not() == first.cgroups().why_not());
}

TEST_CASE("words that are ignored are told once, however many images have heard them") {
  std::vector<std::string> told;
  const auto tell = [&](GenerationId g, const std::string& words) {
    told.push_back(std::to_string(g.value) + ": " + words);
  };
  Loop loop;
  IgnoredWords first(loop, tell);
  first.heard(GenerationId{2}, {"FDSTORE=1"});
  const IgnoredWords::Kept yet_to_tell = first.kept();

  IgnoredWords second(loop, tell);
  second.take_over(through_state(yet_to_tell));
  second.heard(GenerationId{2}, {"WATCHDOG=1"});
  CHECK(told.empty());
  second.tell();
  CHECK(told == std::vector<std::string>{"2: FDSTORE=1, WATCHDOG=1"});

  IgnoredWords third(loop, tell);
  third.take_over(through_state(second.kept()));
  third.heard(GenerationId{1}, {"A=1"});
  third.heard(GenerationId{2}, {"B=1"});
  third.tell();
  CHECK(told.size() == 1);
  third.heard(GenerationId{3}, {"C=1"});
  third.tell();
  CHECK(told.back() == "3: C=1");
}

TEST_CASE("ignored words that were heard before are told by themselves after taking over") {
  Loop loop;
  IgnoredWords first(loop, [](GenerationId, const std::string&) {});
  first.heard(GenerationId{2}, {"FDSTORE=1"});
  std::string told;
  IgnoredWords second(loop, [&](GenerationId, const std::string& words) {
    told = words;
    loop.leave();
  });
  second.take_over(through_state(first.kept()));
  loop.run();
  CHECK(told == "FDSTORE=1");
}

TEST_CASE("advice that was given is not given again by the next image") {
  Lines lines;
  Advisor first(lines.log);
  first.warn({"no cgroups here"});
  Advisor second(lines.log);
  second.take_over(through_state(first.kept()));
  second.warn({"no cgroups here", "no eBPF here"});
  CHECK(lines.with("no cgroups here") == 1);
  CHECK(lines.with("no eBPF here") == 1);
}

TEST_CASE("a restart that was announced is not announced again, another one is") {
  Loop loop;
  Lines lines;
  Status status;
  status.waiting.push_back({WorkerId{7}, GenerationId{2}, 1, monotonic_now() + 1h});
  Announcer first(loop, lines.log, {});
  first.tell_of_restarts(status);
  CHECK(lines.with("is started again in") == 1);
  Announcer second(loop, lines.log, {}, through_state(first.kept()));
  second.tell_of_restarts(status);
  CHECK(lines.with("is started again in") == 1);
  status.waiting.push_back({WorkerId{9}, GenerationId{2}, 0, monotonic_now() + 1h});
  second.tell_of_restarts(status);
  CHECK(lines.with("is started again in") == 2);
}

TEST_CASE("the manager hears nothing of a phase, an error and a limit that it knows") {
  NotifyListener manager;
  Loop loop;
  Lines lines;
  const ServiceManager::Kept known{Phase::stopping, "ends by itself: no more workers", 98, no_deadline};
  Announcer::Kept kept;
  kept.manager = known;
  kept.phase = Phase::stopping;
  kept.ending = {3, "ends by itself: no more workers"};
  Announcer next(loop, lines.log, manager.variables(), through_state(kept));
  CHECK(next.ending().exit_status == 3);
  Status status;
  status.phase = Phase::stopping;
  next.tell_of_phase(status, no_deadline, 98);
  CHECK(manager.heard().empty());
  next.tell_of_phase(status, no_deadline, 0);
  CHECK(manager.heard() == "ERRNO=0\n");
}

// Blocked, as SignalInbox wants them: in a child.
TEST_CASE("a signal that means nothing is told of once, whichever image hears it") {
  CHECK(in_child([&] {
          sigset_t all;
          ::sigfillset(&all);
          ::sigprocmask(SIG_SETMASK, &all, nullptr);
          Loop loop;
          Lines lines;
          OutputWatch own(loop, STDERR_FILENO, false);
          const SignalInbox::Callbacks callbacks{.reload = [](const Asker&) {},
                                                 .stop = [](const Asker&) {},
                                                 .hammer = [](const Asker&) {},
                                                 .stops = [] { return false; },
                                                 .pass_on = [&](int) { loop.leave(); },
                                                 .terminal_stops = [] {},
                                                 .children_changed = [] {}};
          SignalInbox::Kept kept;
          for (int image = 0; image < 2; ++image) {
            SignalInbox inbox(loop, lines.log, own, callbacks);
            if (image > 0) inbox.take_over(through_state(kept));
            ::raise(SIGWINCH);
            for (int turn = 0; turn < 1000 && inbox.kept().told.empty(); ++turn) {
              sd_event_run(loop.event(), 10'000);
            }
            kept = inbox.kept();
          }
          ::raise(SIGUSR1);
          return std::to_string(lines.with("SIGWINCH received")) + " of " + std::to_string(lines.all.size());
        }) == "1 of 1");
}

TEST_CASE("the core goes on where it was: its status, and when it wants to be called") {
  Loop loop;
  OutputWatch own(loop, STDERR_FILENO, false);
  std::vector<Action> actions;
  const EventPump::Callbacks callbacks{
      .decided = [] {}, .perform = [&](const Action& a) { actions.push_back(a); }, .done = [] {}};
  Policy policy;
  policy.ready_timeout = 1h;
  EventPump first(policy, own, callbacks);
  first.happens(ReloadAsked{nobody});
  first.happens(Prepared{GenerationId{1}, policy});
  REQUIRE(first.next_deadline() != no_deadline);
  REQUIRE(first.idle());

  EventPump second({}, own, callbacks);
  Supervisor core{Policy{}};
  StateWriter state("this");
  state.add("core", first.core());
  StateReader(state.text()).read("core", core);
  second.take_over(std::move(core));
  CHECK(second.next_deadline() == first.next_deadline());
  CHECK(second.status().phase == first.status().phase);
  CHECK(second.status().candidate == GenerationId{1});
  REQUIRE(second.status().workers.size() == 1);
  const WorkerId worker = second.status().workers.front().worker;
  REQUIRE(second.status_of(worker));
  actions.clear();
  second.happens(WorkerReady{worker});
  CHECK(second.status().serving == GenerationId{1});
  CHECK_FALSE(actions.empty());
}

Fd pipe_in_place_of(int fd) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const Fd writer(ends[1]);
  ::dup2(writer.get(), fd);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Fd(ends[0]);
}

TEST_CASE("a line that a worker had begun before is finished by the next image, and is kept with its number") {
  CHECK(in_child([&] {
          const Fd out = pipe_in_place_of(STDOUT_FILENO);
          const Fd err = pipe_in_place_of(STDERR_FILENO);
          Loop loop;
          RunOptions options;
          options.name = "shop";
          Plan plan;
          plan.options.watch_stdout = true;
          plan.options.output = OutputChoice::prefix;
          auto& first = before<ProcessOutputs>(loop, options, "");
          first.attend();
          OutputPipes pipes = ProcessOutputs::make_pipes(plan, true);
          const Fd to_out = std::move(pipes.out->worker_end);
          const Fd to_err = std::move(pipes.err->worker_end);
          const Outputs outputs = first.watch(std::move(pipes), plan, {.generation = 1, .worker = 0, .pid = 7});
          (void)!::write(to_out.get(), "one\ntw", 6);
          (void)!::write(to_err.get(), "er", 2);
          outputs.drain();
          first.own().log_line("graced's own\n");

          const ProcessOutputs::Kept kept = through_state(first.kept());
          StateWriter state("this");
          state.add("outputs", kept);
          Loop another;
          ProcessOutputs second(another, options, "", kept);
          (void)!::write(to_out.get(), "o\n", 2);
          (void)!::write(to_err.get(), "ror\n", 4);
          second.attend();
          const Outputs same{second.find(outputs.out->pipe.get()), second.find(outputs.err->pipe.get())};
          if (!same.out || !same.err || second.find(9999)) return std::string("not found");
          same.drain();
          std::string text;
          bool ended = false;
          text += read_available(out.get(), ended) + read_available(err.get(), ended);
          for (const KeptLine& line : second.page(1).lines)
            text += std::to_string(line.number) + " " + line.said.text + "\n";
          return text;
        }) ==
        "generation 1, worker 0, PID 7: one\ngeneration 1, worker 0, PID 7: two\n"
        "graced's own\ngeneration 1, worker 0, PID 7: error\n1 one\n2 two\n3 error\n");
}

TEST_CASE("what this machine offers is not tried again by the next image") {
  CHECK(in_child([&] {
          HandoffCapabilities first;
          const AdoptionCapability adoption = first.adoption(nullptr);
          const SteeringProbe steering = first.steering();
          HandoffCapabilities second = through_state(first);
          // Whoever tried would find that it has no processes and no sockets.
          constexpr rlimit none{0, 0};
          ::setrlimit(RLIMIT_NOFILE, &none);
          const bool same = second.adoption(nullptr).possible == adoption.possible &&
                            second.adoption(nullptr).why == adoption.why &&
                            second.steering().method == steering.method &&
                            second.steering().why == steering.why;
          return std::string(same ? "the same" : "another");
        }) == "the same");
}

}  // namespace
}  // namespace graced
