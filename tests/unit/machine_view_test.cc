// What `graced check` prints of the machine, to the letter.
#include "daemon/machine_view.h"

#include <doctest/doctest.h>

using namespace graced;

TEST_CASE("a machine that offers everything takes two lines") {
  CHECK(machine_text({true, false, true, ""}, {SteeringMethod::ebpf, true, ""}) ==
        "this machine\n"
        "  adoption   possible\n"
        "  steering   eBPF\n");
}

TEST_CASE("what is missing stands beside it") {
  CHECK(machine_text({false, false, true, "another seccomp listener is installed already"},
                     {SteeringMethod::cbpf, true, "BPF_PROG_LOAD: Operation not permitted"}) ==
        "this machine\n"
        "  adoption   impossible: another seccomp listener is installed already\n"
        "  steering   classic BPF: BPF_PROG_LOAD: Operation not permitted\n");
}

TEST_CASE("what the options come to is said") {
  HandoffPlan plan;
  plan.sets = true;
  CHECK(handoff_text(plan, {.method = SteeringMethod::cbpf, .migrates = false, .why = ""}) ==
        "with these options\n"
        "  addresses  those of --listen only\n"
        "  drain      by signal, at once\n");
  const SteeringProbe steering{.method = SteeringMethod::ebpf, .migrates = true, .why = ""};
  CHECK(handoff_text(plan, steering)
            .ends_with("  drain      by signal, once those who have just connected are heard\n"));
  plan.sets = false;
  plan.adopt = plan.switched = true;
  plan.drain = DrainRule::idle;
  plan.max_draining = 8;
  CHECK(handoff_text(plan, steering) ==
        "with these options\n"
        "  addresses  those that the command binds are adopted: UDP ones are not kept when graced is "
        "restarted, but "
        "where --listen has them too\n"
        "  drain      idle, of 8 generations at most at a time\n");
  CHECK(handoff_text(plan, steering, "use a spoon").ends_with("at a time\n  advice     use a spoon\n"));
  CHECK(handoff_text(plan, steering, {}, {{.what = "GET http://a/"}, {.what = "tcp://a:1"}})
            .ends_with("  probe      GET http://a/, before a generation serves\n"
                       "  probe      tcp://a:1, before a generation serves\n"));
  const ProbeRule watches{.what = "tcp://a:1", .fails = 2, .while_serving = 10s};
  CHECK(handoff_text(plan, steering, {}, {watches})
            .ends_with(
                "  probe      tcp://a:1, before a generation serves and every 10s while it does; if it fails 2 "
                "times in a row another one of the same replaces it\n"));
  plan.probation = 1min;
  CHECK(handoff_text(plan, steering, {}, {watches})
            .find("in a row it is rolled back, or after its probation another one of the same replaces it\n") !=
        std::string::npos);
  plan.probation = 0s;
  plan.workers = 32;
  plan.batch = 5;
  CHECK(handoff_text(plan, steering)
            .ends_with(
                "  reload     in 7 batches: 5 of 32 workers start, and as many old ones leave when they serve; "
                "never more than 37 are about\n"));
  plan.batch = 32;
  plan.max_draining = 1;
  CHECK(handoff_text(plan, steering).ends_with("  drain      idle, of one generation at a time\n"));
}
