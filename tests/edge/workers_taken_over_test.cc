// Workers, what they have left behind, and servers of others are the same processes to the next image of
// graced.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "foreign_server.h"
#include "in_child.h"
#include "kept/takeover_members.h"
#include "kept/worker_members.h"
#include "linux/base/own_process.h"
#include "linux/base/pidfd.h"
#include "linux/base/pipe_text.h"
#include "linux/base/systemd.h"
#include "linux/event/loop.h"
#include "linux/proc/child_exits.h"
#include "linux/proc/send_signal.h"
#include "linux/worker/output_pipe.h"
#include "never_destroyed.h"
#include "own_network.h"
#include "temp_directory.h"
#include "through_state.h"
#include "wait_until.h"
#include "workers/workers.h"

namespace graced {
namespace {

// As graced starts a worker: it leads a group, and its environment says whose it is.
pid_t start_marked(const std::string& script) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::array<const char*, 4> words{"sh", "-c", script.c_str(), nullptr};
    const std::array<const char*, 5> variables{"GRACED_NAME=shop", "GRACED_GENERATION=3", "GRACED_WORKER=1",
                                               "PATH=/usr/bin:/bin", nullptr};
    ::execve("/bin/sh", const_cast<char* const*>(words.data()), const_cast<char* const*>(variables.data()));
    ::_exit(127);
  }
  ::setpgid(pid, pid);
  // Before its exec it would answer a signal as a test program does.
  REQUIRE(wait_until([&] { return mark_of(pid) || rest_of(pid) == Rest::exiting; }));
  return pid;
}

void be(WorkerProcess& worker, WorkerId id, pid_t pid) {
  worker.id = id;
  worker.generation = GenerationId{3};
  worker.slot = 1;
  worker.pid = pid;
  worker.pidfd = open_pidfd(pid);
}

void turn(Loop& loop) {
  graced::sd_event_run(loop.event(), std::uint64_t{1000});
}

bool ended(const Fd& pidfd) {
  pollfd p{pidfd.get(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

TEST_CASE("a worker that is taken over is found, has said what it said, and hears signals by its descriptor") {
  CHECK(in_child([] {
          const pid_t pid = start_marked("echo said >&2; exec sleep 1000");
          OutputPipe pipe = make_output_pipe({});
          auto& loop = never_destroyed(new Loop);
          auto& watch = never_destroyed(new OutputWatch(loop, STDERR_FILENO, false));
          auto& first = never_destroyed(new Workers);
          WorkerProcess& w = first.add();
          be(w, WorkerId{7}, pid);
          w.started = Instant{5s};
          w.drain_signal = SIGTERM;
          w.command = {"sleep", "1000\xff"};
          w.served = {{.inode = 12, .name = {.family = AF_UNIX, .endpoint = {}, .path = "/a\n"}}};
          w.status = "at work";
          w.outputs.err = watch.watch(std::move(pipe.read_end));
          write_all(pipe.worker_end.get(), "last words\n");
          watch.drain(w.outputs.err);

          Loop next_loop;
          OutputLog log(next_loop);
          OutputWatch next_watch(next_loop, STDERR_FILENO, through_state(watch.kept()), log);
          Workers next;
          next.take_over(through_state(first.kept()), [&](int number) { return next_watch.find(number); });
          if (state_text(next.kept()) != state_text(first.kept())) return std::string("another state");
          WorkerProcess* found = next.find_pid(pid);
          if (!found || found != next.find(WorkerId{7})) return std::string("not found");
          std::string text = found->outputs.out ? "two outputs" : "one output";
          for (const std::string& line : found->outputs.last_words()) text += ", " + line;
          text += ", " + found->status + ", " + std::to_string(found->served.size());
          signal_process(*found, SIGTERM);
          const bool ends = wait_until([&] { return ended(found->pidfd); });
          const auto exit = next_ended_child();
          return text + (ends && exit && exit->pid == pid && exit->status == SIGTERM ? ", ended" : ", lives");
        }) == "one output, last words, at work, 1, ended");
}

TEST_CASE("a worker whose output nobody reads is refused") {
  Workers first;
  first.add().id = WorkerId{1};
  std::vector<WorkerProcess::Kept> kept = first.kept();
  kept.front().err = 5;
  Workers next;
  CHECK_THROWS_WITH(next.take_over(kept, [](int) { return nullptr; }),
                    "nobody reads from 5, which a worker writes to");
}

TEST_CASE("a worker that has left nobody behind is none that a state can have") {
  Workers first;
  first.add().rest.emplace();
  WorkerProcess::Kept read;
  StateWriter writer("this");
  writer.add("worker", first.kept().front());
  CHECK_THROWS_WITH(StateReader(writer.text()).read("worker", read),
                    "worker: a worker that is gone has left nobody");
}

// A worker whose own process is gone, with one that ends at the signal and one that waits for it.
TEST_CASE("what a worker has left behind is told once, and to the end, also with upgrades in between") {
  const TempDirectory d;
  const std::string said = in_child([&] {
    adopt_orphans();
    const std::string heard = d / "heard";
    // Cares for the signal, counts it, and goes on; its child does not.
    const pid_t worker = start_marked("(trap 'echo x >>" + heard + "' TERM; touch " + (d / "ready") +
                                      "; sleep 1000 & while :; do wait; done) & exit 0");
    const auto wrote = [&](const std::string& path) { return std::filesystem::exists(path); };
    if (!wait_until([&] { return wrote(d / "ready") && rest_of(worker) == Rest::exiting; }))
      return std::string("did not start");
    auto& first = never_destroyed(new Workers);
    WorkerProcess& w = first.add();
    be(w, WorkerId{1}, worker);
    w.rest.emplace(worker, WorkerMark{3, 1, {}});
    std::vector<pid_t> orphans = own_children();
    std::erase(orphans, worker);
    if (!w.rest->look(orphans, {})) return std::string("nobody left");
    reap(worker);

    const auto upgraded = [](const Workers& before, Workers& after) -> Leftovers& {
      after.take_over(through_state(before.kept()), [](int) { return nullptr; });
      return *after.begin()->rest;
    };
    auto& second = never_destroyed(new Workers);
    Leftovers& rest = upgraded(first, second);
    std::string text = rest.tops() == w.rest->tops() && rest.text() == w.rest->text() ? "same" : "others";
    rest.tell(SIGTERM, {}, {});
    if (!wait_until([&] { return wrote(heard); })) return text + ", deaf";

    Workers third;
    Leftovers& again = upgraded(second, third);
    again.tell(SIGTERM, {}, {});
    std::ifstream file(heard);
    text += ", told " + std::to_string(std::count(std::istreambuf_iterator(file), {}, 'x')) + " time";
    signal_group(*third.begin(), SIGKILL);
    const bool gone = wait_until([&] {
      while (const auto child = next_ended_child()) reap(child->pid);
      return !again.look(own_children(), {});
    });
    return text + (gone ? ", gone" : ", left");
  });
  CHECK(said == "same, told 1 time, gone");
}

// The parent is the manager, whose orphan the worker of an earlier graced has become.
TEST_CASE("survivors of an earlier graced are drained by the image after the one that found them") {
  const auto as_manager = [](bool upgrade_while_draining) {
    const pid_t survivor = start_marked("trap 'sleep 0.2; exit 0' TERM; while :; do sleep 0.1; done");
    const std::string said = in_child([&] {
      std::string text;
      bool gone = false;
      const auto make = [&](Loop& loop) {
        return new Survivors(
            loop, [&](const Survivors::Survivor&, const std::string& what) { text += what + "; "; },
            [&] { return std::vector<pid_t>{survivor}; }, [&] { gone = true; });
      };
      auto& first = never_destroyed(make(never_destroyed(new Loop)));
      if (!first.find("shop")) return std::string("not found");
      if (upgrade_while_draining) first.drain(SIGTERM, 10s, {});
      auto& loop = never_destroyed(new Loop);
      auto& next = *make(loop);
      next.take_over(through_state(first.kept()));
      if (state_text(next.kept()) != state_text(first.kept())) return std::string("another state");
      if (next.left().size() != 1 || next.left().front().pid != survivor) return std::string("nobody left");
      next.drain(SIGTERM, 10s, {});  // once, whoever began
      if (!wait_until([&] {
            turn(loop);
            return gone;
          }))
        return text + "lives";
      return text + "gone";
    });
    ::kill(-survivor, SIGKILL);
    ::waitpid(survivor, nullptr, 0);
    return said;
  };
  const std::string expected =
      "has survived the graced before; it is to serve until a new generation does; "
      "is draining, at most 10s; has ended; gone";
  for (const bool draining : {false, true}) CHECK(as_manager(draining) == expected);
}

TEST_CASE("a server of others that is taken over has the same processes and sockets, and its end is seen") {
  const OwnNetwork own;
  RunningForeign server({.children = 1});
  const auto found = RunningServer::look(parse_take_target(std::to_string(server.pid()))).server;
  REQUIRE(found);
  const auto& before = never_destroyed(new RunningServer(found->kept()));
  const RunningServer after(through_state(before.kept()));
  CHECK(state_text(after.kept()) == state_text(before.kept()));
  CHECK(after.text() == found->text());
  CHECK(after.user() == found->user());
  REQUIRE(after.sockets().size() == 1);
  CHECK(after.sockets().front().where.same_as(found->sockets().front().where));
  CHECK(after.sockets().front().key == found->sockets().front().key);
  REQUIRE(after.processes().size() == 2);
  CHECK(send_signal(after.processes().front().pidfd, 0));
  server.end();
  for (const RunningProcess& p : after.processes()) CHECK(wait_until([&] { return ended(p.pidfd); }));
}

TEST_CASE("a server without a process is none that a state can have") {
  StateWriter writer("this");
  writer.add("server", RunningServer::Kept{});
  RunningServer::Kept read;
  CHECK_THROWS_WITH(StateReader(writer.text()).read("server", read), "server: a server without a process");
}

}  // namespace
}  // namespace graced
