// Many random walks, each with its own policies and faults; supervisor_witness.h has the promises.
// GRACED_WALK_STEPS=10000000 walks further, GRACED_WALK_FROM=N begins with another seed than 1, and
// GRACED_WALK_SEED=N repeats one walk.
#include <cstdlib>
#include <string>

#include "supervisor_story.h"
#include "supervisor_walk.h"

namespace graced {

namespace {

constexpr int steps_a_walk = 400;

// By fewer, not all difficult places are come by often.
constexpr std::uint64_t enough_steps = 300'000;
// Each step is also made by a supervisor that was read from JSON, which sanitizers make slow.
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t usual_steps = enough_steps / 10;
#else
constexpr std::uint64_t usual_steps = enough_steps;
#endif

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::stoull(text) : otherwise;
}

void walk(std::uint64_t seed, Tally& tally) {
  Walk walk(seed, tally);
  try {
    walk.run(steps_a_walk);
  } catch (const BrokenPromise& broken) {
    FAIL("GRACED_WALK_SEED=" << seed << ": " << std::string(broken.what()) << "\n" << walk.last_events());
  }
}

}  // namespace

TEST_CASE("whatever happens, in whatever order, the promises are kept") {
  Tally tally;
  if (const std::uint64_t seed = from_environment("GRACED_WALK_SEED", 0)) {
    walk(seed, tally);
    return;
  }

  const std::uint64_t steps = from_environment("GRACED_WALK_STEPS", usual_steps);
  for (std::uint64_t seed = from_environment("GRACED_WALK_FROM", 1); tally.events < steps; ++seed)
    walk(seed, tally);

  if (steps < enough_steps) return;
  INFO(tally.events << " events, " << tally.finished << " walks");
  // A walk that never comes by the difficult places proves nothing.
  const std::uint64_t often = tally.events / 1000;
  CHECK(tally.switches > often);
  CHECK(tally.probed > often / 2);
  CHECK(tally.failed_probes > often / 6);
  CHECK(tally.canaries > often / 2);
  CHECK(tally.canary_steps > often / 4);
  CHECK(tally.failed_canaries > often / 4);
  CHECK(tally.gates > often / 4);
  CHECK(tally.canaries_alone > 0);
  CHECK(tally.abandons > often);
  CHECK(tally.aborts > often);
  CHECK(tally.queued > often);
  CHECK(tally.replacements > often);
  CHECK(tally.late_replacements > often / 2);
  CHECK(tally.left_by_themselves > often);
  CHECK(tally.outlived > often);
  CHECK(tally.outlived_retired > often / 10);
  CHECK(tally.settled > often / 2);
  CHECK(tally.settled_late > often / 10);
  CHECK(tally.idle > often);
  CHECK(tally.told_when_late > often);
  CHECK(tally.told_for_room > often / 10);
  CHECK(tally.kills_by_deadline > often);
  CHECK(tally.kills_by_max_draining > often);
  CHECK(tally.kills_by_request > often);
  CHECK(tally.survivors_killed > often / 10);
  CHECK(tally.survivors_waited_for > 0);
  CHECK(tally.taken_given_back > often / 20);
  CHECK(tally.taken_told > often / 4);
  CHECK(tally.taken_killed > often / 20);
  CHECK(tally.taken_waited_for > 0);
  CHECK(tally.joins > often / 4);
  CHECK(tally.joined_failed > often / 20);
  CHECK(tally.restored > often / 100);
  CHECK(tally.rollbacks > often / 2);
  CHECK(tally.rollbacks_of_second > 0);
  CHECK(tally.proven > often / 2);
  CHECK(tally.ailed > often / 2);
  CHECK(tally.replaced > often / 20);
  CHECK(tally.not_replaced > often / 10);
  CHECK(tally.given_up_for_reload > often / 50);
  CHECK(tally.rollbacks_by_probe > often / 50);
  CHECK(tally.called_back > often / 10);
  CHECK(tally.left_alone > often / 10);
  CHECK(tally.gave_up > often);
  CHECK(tally.written > often);
  CHECK(tally.written_on_canary > often);
  CHECK(tally.written_on_probation > often / 2);
  CHECK(tally.written_between_batches > often / 10);
  CHECK(tally.written_while_probed > often);
  CHECK(tally.written_while_ailing > often / 10);
  CHECK(tally.written_while_stopping > often);
  CHECK(tally.written_with_queue > often);
  CHECK(tally.written_in_backoff > often);
  CHECK(tally.written_with_survivors > often);
  CHECK(tally.written_while_taken > 0);
}

}  // namespace graced
