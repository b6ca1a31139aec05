#include "supervisor_twin.h"

#include <fmt/format.h>

#include "same_members.h"
#include "state/core_state.h"
#include "state/supervisor_members.h"
#include "supervisor_story.h"

namespace graced {

namespace {

constexpr unsigned between = 12;  // events from one image to the next, or so

std::string written(const Supervisor& core) {
  StateWriter state("0.2.0");
  add_to(state, "core", core);
  return state.text();
}

void must(bool kept, std::string_view what, const Supervisor& one, const Supervisor& twin) {
  if (kept) return;
  throw BrokenPromise(fmt::format("{}\nwritten: {}\ntwin:    {}", what, written(one), written(twin)));
}

}  // namespace

void Twin::sees(const Event& event, Instant now, const std::vector<Action>& actions, const Supervisor& other) {
  if (core_) {
    const std::vector<Action> decided = core_->handle(event, now);
    must(same(decided, actions), "who goes on from a state decides something else", other, *core_);
    must(core_->next_deadline() == other.next_deadline(), "who goes on from a state waits for something else",
         other, *core_);
    must(same(core_->status(), other.status()), "who goes on from a state tells something else", other, *core_);
    must(same(*core_, other), "who goes on from a state comes to another one", other, *core_);
  }
  if (random_() % between == 0) goes_on_from(other);
}

void Twin::goes_on_from(const Supervisor& other) {
  const std::string text = written(other);
  try {
    Supervisor next{Policy{}};
    read_from(StateReader(text), "core", next);
    core_ = std::move(next);
  } catch (const StateError& error) {
    throw BrokenPromise(fmt::format("what was written cannot be read: {}\n{}", error.what(), text));
  }
  must(same(*core_, other), "what was read is not what was written", other, *core_);
  must(written(*core_) == text, "what was read is written otherwise", other, *core_);

  const Status s = other.status();
  ++tally_.written;
  tally_.written_on_canary += s.canary.has_value();
  tally_.written_on_probation += s.probation.has_value();
  tally_.written_between_batches += s.surge && s.surge->serve > 0;
  tally_.written_while_probed += !s.probes.empty();
  tally_.written_while_ailing += s.next_replacement != no_deadline;
  tally_.written_while_stopping += s.phase == Phase::stopping;
  tally_.written_with_queue += s.reload_queued;
  tally_.written_in_backoff += s.next_restart.has_value();
  tally_.written_with_survivors += s.survivors.has_value();
  tally_.written_while_taken += s.taken.has_value();
}

}  // namespace graced
