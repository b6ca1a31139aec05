// What a readiness probe is told of an instance.
#include "client/readiness.h"

#include <doctest/doctest.h>

using namespace graced;

namespace {

WorkerReport worker(std::uint64_t generation, const std::string& state) {
  WorkerReport w;
  w.generation = generation;
  w.pid = 100;
  w.state = state;
  return w;
}

InstanceReport instance(const std::string& phase, std::uint64_t serving, std::vector<WorkerReport> workers) {
  InstanceReport r;
  r.name = "shop";
  r.phase = phase;
  r.serving = serving;
  r.workers = std::move(workers);
  return r;
}

std::string no(const InstanceReport& r) {
  const Readiness readiness = readiness_of(r);
  CHECK_FALSE(readiness.ready);
  return readiness.why;
}

std::string yes(const InstanceReport& r) {
  const Readiness readiness = readiness_of(r);
  CHECK(readiness.ready);
  return readiness.why;
}

}  // namespace

TEST_CASE("an instance is ready while one worker of the serving generation is") {
  CHECK(yes(instance("serving", 3, {worker(3, "ready")})) == "generation 3 serves");
  CHECK(yes(instance("serving", 3, {worker(3, "starting"), worker(3, "ready")})) == "generation 3 serves");
}

TEST_CASE("a reload, a failed one too, leaves an instance ready") {
  InstanceReport r = instance("reloading", 3, {worker(3, "ready"), worker(4, "starting")});
  r.candidate = 4;
  CHECK(yes(r) == "generation 3 serves");
  r = instance("serving", 3, {worker(3, "ready")});
  r.last_reload = ReloadReport{4, false, "exited with status 1", 1s, 1s};
  CHECK(yes(r) == "generation 3 serves");
}

TEST_CASE("an instance that starts is not ready yet") {
  InstanceReport r = instance("starting", 0, {worker(1, "starting")});
  r.candidate = 1;
  CHECK(no(r) == "generation 1 is not ready yet");
  r.candidate = 0;
  CHECK(no(r) == "nothing serves");
}

TEST_CASE("an instance whose workers are all gone is not ready") {
  InstanceReport r = instance("down", 3, {worker(2, "draining"), worker(3, "starting")});
  CHECK(no(r) == "no worker of generation 3 is ready");
  r.next_restart = 1s;
  CHECK(no(r) == "no worker of generation 3 is ready, the next start is in 1s");
  r.last_exit = ExitReport{3, 1, 99, "exited with status 3 after 2s", 3, "", 1s, 2s, {"secret"}};
  CHECK(no(r) ==
        "no worker of generation 3 is ready, worker 1 exited with status 3 after 2s, the next start is in 1s");
}

TEST_CASE("an instance with fewer workers than asked is ready, and says so") {
  InstanceReport r = instance("degraded", 3, {worker(3, "starting"), worker(3, "ready")});
  r.workers_asked = 2;
  CHECK(yes(r) == "degraded: generation 3 serves with 1 of 2 workers");
}

TEST_CASE("an instance that stops is not ready, though its workers still finish") {
  CHECK(no(instance("stopping", 3, {worker(3, "draining")})) == "it is stopping");
  CHECK(no(instance("stopping", 3, {worker(3, "ready")})) == "it is stopping");
}
