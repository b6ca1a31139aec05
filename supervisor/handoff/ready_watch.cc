// A worker that says READY=1 and dies at once must not cost the one that serves. So it is believed
// when it has come to rest (having said what it had to say, it waits for work), be it between two of our
// looks, or when it has survived for a while: the time it ran counts, for on a crowded machine it may not
// have run at all since.
//
// Nor must one that speaks, or listens, before it has loaded what is to answer. So it is to be seen waiting for
// connections; the usual one is by the time it rests, and a look at what it is blocked in shows it.
#include "handoff/ready_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "handoff/ready_doubts.h"
#include "linux/proc/process.h"

namespace graced {

namespace {

// How long a worker that said READY=1 may stay busy before it is believed to live: on a processor, and by the
// clock.
constexpr Duration believe_after_running = 1ms;
constexpr Duration believe_after = 20ms;

// How long one that said READY=1 and is not seen waiting is waited for: some never are (io_uring, a thread that
// asks again and again).
constexpr Duration seen_within = 3s;

// The usual worker rests within microseconds, so it is given those before we sleep.
constexpr int looks_at_once = 4;

// How long a worker must be seen waiting on what it was passed.
constexpr Duration listening_for = 20ms;

// How long one is waited for that has bound UDP sockets and is not seen waiting on them: some only send there.
constexpr Duration only_sends_for = 1s;

// How long an adopted worker must not have bound anything more. nginx listens on its second address a moment
// after the first; where it is known what to expect, and nobody waits before all of it is there, a
// moment is enough.
constexpr Duration quiet_when_seen = 3ms;
constexpr Duration quiet_otherwise = 20ms;

// How long a process must be one that cannot be looked into (some are for a moment, as they become another
// user)…
constexpr Duration hidden_for = 100ms;
// …and rest, where it was passed sockets that listen all the time.
constexpr Duration rested_for = 1s;

// How long one that is adopted must rest, and wait on what it has, until what it has not is not waited for any
// longer: where it has another address instead, and where it has but some.
constexpr Duration moved_for = 1s;
constexpr Duration left_out_for = 3s;

// How long one that binds nothing must rest until it is believed to need no address.
constexpr Duration nothing_bound_for = 10s;

// The first look after the start of one that is to listen.
constexpr Duration first_look = 5ms;

// Looking takes no more than a small part of the time.
constexpr int looks_take_one_in = 20;

bool word_decides(ReadyRule rule) {
  return rule == ReadyRule::automatic || rule == ReadyRule::notify;
}

}  // namespace

ReadyWatch::ReadyWatch(Loop& loop, Handoff& handoff, Callbacks callbacks)
    : loop_(loop), handoff_(handoff), callbacks_(std::move(callbacks)), attendance_(handoff) {}

ReadyWatch::ReadyWatch(Loop& loop, Handoff& handoff, Callbacks callbacks, Kept kept)
    : ReadyWatch(loop, handoff, std::move(callbacks)) {
  learned_ = std::move(kept.learned);
  noted_hidden_ = kept.noted_hidden;
  noted_belief_ = kept.noted_belief;
}

bool ReadyWatch::is_done_with(const Watched& w) {
  return !w.expected && w.said && w.said->told;
}

// With --ready after:TIME it is ready by then, says so or not; and which servers say it is worth knowing.
bool ReadyWatch::only_may_say_ready(const Watched& w) {
  return !w.expected && !w.said && !word_decides(w.rule);
}

bool ReadyWatch::any() const {
  return !std::ranges::all_of(watched_,
                              [](const Watched& w) { return is_done_with(w) || only_may_say_ready(w); });
}

ReadyWatch::Kept ReadyWatch::kept() const {
  Kept kept{learned_, noted_hidden_, noted_belief_};
  for (const Watched& w : watched_) {
    if (only_may_say_ready(w)) kept.may_say_ready.push_back(w.worker.id);
  }
  return kept;
}

void ReadyWatch::attend() {
  timer_ = loop_.timer([this] { look(); });
  timer_.fire_at(next_look_);
}

void ReadyWatch::watch(AttendedWorker worker, ReadyRule rule) {
  watched_.push_back({std::move(worker), rule, monotonic_now()});
}

void ReadyWatch::expect_listening(WorkerId worker, Expectation expectation) {
  Watched* w = find(worker);
  if (!w) return;
  w->expected = Expected{expectation};
  look_soon(w->started + first_look);
}

void ReadyWatch::said_ready(WorkerId worker, pid_t sender) {
  Watched* w = find(worker);
  if (!w || w->said) return;
  const Instant now = monotonic_now();
  w->said = Said{now, sender};
  look_at(*w, now);
}

void ReadyWatch::look_at(WorkerId worker) {
  if (Watched* w = find(worker)) look_at(*w, monotonic_now());
}

void ReadyWatch::forget(WorkerId worker) {
  watched_.remove_if([&](const Watched& w) { return w.worker.id == worker; });
}

bool ReadyWatch::has_said_ready(WorkerId worker) const {
  const Watched* w = find(worker);
  return w && w->said;
}

bool ReadyWatch::is_seen_waiting(const AttendedWorker& worker) {
  const auto learned = learned_.find(worker.mark.generation);
  if (learned != learned_.end() && learned->second.waits) return true;
  const Attendance::Seen seen = attendance_.look(worker);
  return seen.any_address && seen.all();
}

void ReadyWatch::look() {
  const Instant now = monotonic_now();
  next_look_ = no_deadline;
  std::vector<WorkerId> waiting;  // what one look finds may make others forgotten
  for (const Watched& w : watched_) {
    if (w.said || w.expected) waiting.push_back(w.worker.id);
  }
  for (const WorkerId worker : waiting) {
    if (Watched* w = find(worker)) look_at(*w, now);
  }
  if (next_look_ == no_deadline) return;
  const Instant end = monotonic_now();
  next_look_ = std::max(next_look_, end + looks_take_one_in * (end - now));
  if (timer_) timer_.fire_at(next_look_);
}

void ReadyWatch::look_at(Watched& w, Instant now) {
  const WorkerId worker = w.worker.id;
  handoff_.catch_up(worker);
  if (w.said && !w.said->told) look_at_word(w, now);
  Watched* still = find(worker);
  if (still && still->expected) look_whether_it_listens(*still, now);
}

void ReadyWatch::look_at_word(Watched& w, Instant now) {
  Said& said = *w.said;
  const Duration waited = now - said.when;
  if (!said.lives_on && !lives_on(w, now)) {
    look_soon(now + std::clamp<Duration>(waited, 100us, 1ms));
    return;
  }
  said.lives_on = true;
  if (!is_believed(w, now)) {
    look_soon(now + std::clamp<Duration>(waited / 8, 100us, 100ms));
    return;
  }
  said.told = true;
  const WorkerId worker = w.worker.id;
  // Where the word decides nothing, it goes on being watched for what does.
  if (word_decides(w.rule)) forget(worker);
  callbacks_.ready(worker);
}

bool ReadyWatch::lives_on(Watched& w, Instant now) {
  Said& said = *w.said;
  const pid_t pid = w.worker.pid;
  const Duration waited = now - said.when;
  Rest rest = rest_of(pid);
  for (int i = 0; i < looks_at_once && rest == Rest::busy && waited == 0ms; ++i) {
    std::this_thread::yield();
    rest = rest_of(pid);
  }
  if (rest == Rest::exiting) return false;  // whoever reaps it will tell

  const bool itself = said.sender == pid;
  if (rest == Rest::resting && (itself || rest_of(said.sender) == Rest::resting)) return true;
  if (waited >= believe_after) return true;
  if (!itself) return false;
  if (!said.run) {
    said.run = time_run(pid);
    said.switches = voluntary_switches(pid);
    return false;
  }
  // Since the first look.
  const auto switches = voluntary_switches(pid);
  if (switches && said.switches && *switches > *said.switches && rest_of(pid) != Rest::exiting) return true;
  return time_run(pid) - *said.run >= believe_after_running;
}

// Of one that lives on.
bool ReadyWatch::is_believed(Watched& w, Instant now) {
  Said& said = *w.said;
  const bool passed_any = !w.worker.passed.empty();
  if (w.rule == ReadyRule::notify && passed_any) {
    const bool from_below = said.sender != w.worker.pid;
    if (!from_below && attendance_.has_passed(w.worker)) return true;
    if (std::string why = not_its_sockets(w, attendance_.look(w.worker, false)); !why.empty())
      callbacks_.note(w.worker.id, why + "; --ready notify believes it all the same");
  }
  if (w.rule != ReadyRule::automatic) return true;

  const Attendance::Seen seen = attendance_.look(w.worker);
  if (!seen.any_address) {
    if (said.any_address) return false;  // one that has closed them is about to end
    // Some (Squid) say it just before they listen. Until they do nobody would: what serves now is hidden when
    // they follow.
    return handoff_.missing(w.worker.id).empty() || now - said.when >= seen_within;
  }
  said.any_address = true;
  if (seen.all()) {
    learned_of(w.worker.mark.generation).waits = true;
    return true;
  }
  if (seen.hidden) {
    note_hidden(w, *seen.hidden);
    return true;
  }
  if (seen.only_datagrams && now - said.when >= only_sends_for) return true;
  if (!not_its_sockets(w, seen).empty()) return false;
  if (!said.serving_waits) said.serving_waits = callbacks_.serving_waits();
  if (said.serving_waits || now - said.when < seen_within) return false;
  if (!std::exchange(noted_belief_, true)) {
    callbacks_.note(
        w.worker.id,
        fmt::format("said READY=1 {} ago, but nobody is seen waiting for connections on {}: believed all the "
                    "same (--ready notify believes the word at once)",
                    to_rough_text(now - said.when), listed(seen.unattended)));
  }
  return true;
}

void ReadyWatch::look_whether_it_listens(Watched& w, Instant now) {
  Expected& expected = *w.expected;
  look_whether_it_is_elsewhere(w, now);
  if (!expected.expectation.may_let_go && stays_elsewhere(w, now) &&
      !handoff_.misses_only_datagrams(w.worker.id)) {
    expected.elsewhere.reset();  // said once in a while, if it is of no consequence
    callbacks_.unfit(w.worker.id, handoff_.missing(w.worker.id) + lets_it_go);
    return;
  }
  if (!listens(w, now)) {
    expected.seen.reset();
  } else if (!expected.seen) {
    expected.seen = now;
  }
  const Duration long_enough = must_be_seen_for(w);
  if (expected.seen && now - *expected.seen >= long_enough) {
    const WorkerId worker = w.worker.id;
    Duration& took = learned_of(w.worker.mark.generation).took;
    took = std::max<Duration>(took, now - w.started);
    forget(worker);
    callbacks_.listening(worker);
    return;
  }
  Instant next = now + std::clamp<Duration>((now - w.started) / 10, 5ms, 100ms);
  if (expected.seen) next = *expected.seen + long_enough;
  // Just now it was about to: it listens first.
  const Instant quiet = handoff_.last_change(w.worker.id) + quiet_for(w);
  if (quiet > now) next = std::min(next, quiet);
  look_soon(std::max<Instant>(next, now + 1ms));
}

bool ReadyWatch::listens(Watched& w, Instant now) {
  const bool adopts = handoff_.adopted(w.worker.id);
  if (adopts && !handoff_.waits_for(w.worker.id).empty()) return false;
  if (adopts && !handoff_.missing(w.worker.id).empty() && !stays_elsewhere(w, now)) return false;
  const bool any_adopted = handoff_.listens(w.worker.id);
  // Without an address there is nothing to be seen waiting on: then it must have come to rest.
  if (w.worker.passed.empty() && !any_adopted) return rest_of(w.worker.pid) == Rest::resting;
  if (!is_attended(w, now)) return false;
  return !any_adopted || now - handoff_.last_change(w.worker.id) >= quiet_for(w);
}

void ReadyWatch::look_whether_it_is_elsewhere(Watched& w, Instant now) {
  std::optional<Instant>& elsewhere = w.expected->elsewhere;
  const WorkerId worker = w.worker.id;
  if (handoff_.missing(worker).empty() || !handoff_.listens(worker) || !handoff_.waits_for(worker).empty() ||
      !is_attended(w, now) || !attendance_.rests(w.worker)) {
    elsewhere.reset();
  } else if (!elsewhere) {
    elsewhere = now;
  }
}

// With all workers of its generation, as one may have what the other has not. A server may serve on one
// address and load what it needs for the next: so not before twice the time that the serving one took.
bool ReadyWatch::stays_elsewhere(const Watched& w, Instant now) const {
  if (!w.expected->elsewhere) return false;
  Duration limit = handoff_.has_new_address(w.worker.id) ? moved_for : left_out_for;
  for (const auto& [generation, learned] : learned_) {
    if (generation < w.worker.mark.generation) limit = std::max<Duration>(limit, 2 * learned.took);
  }
  return std::ranges::all_of(watched_, [&](const Watched& other) {
    if (other.worker.mark.generation != w.worker.mark.generation) return true;
    return other.expected && other.expected->elsewhere &&
           now - std::max(*other.expected->elsewhere, handoff_.last_change(other.worker.id)) >= limit;
  });
}

bool ReadyWatch::is_attended(Watched& w, Instant now) {
  const bool look_at_adopted = w.rule != ReadyRule::listen;
  if (!look_at_adopted && w.worker.passed.empty()) return true;
  const Attendance::Seen seen = attendance_.look(w.worker, look_at_adopted);
  std::optional<Instant>& hidden = w.expected->hidden;
  if (seen.all() || !seen.hidden) {
    hidden.reset();
    if (seen.any_address && seen.all()) learned_of(w.worker.mark.generation).waits = true;
    return seen.all() || (seen.only_datagrams && attendance_.rests(w.worker) &&
                          now - handoff_.last_change(w.worker.id) >= only_sends_for);
  }
  if (!hidden) hidden = now;
  if (now - *hidden < hidden_for) return false;
  if (!w.worker.passed.empty() && rest_of(w.worker.pid) != Rest::resting) return false;
  if (now - *hidden >= (w.worker.passed.empty() ? hidden_for : rested_for)) {
    note_hidden(w, *seen.hidden);
    return true;
  }
  return false;
}

Duration ReadyWatch::must_be_seen_for(const Watched& w) const {
  if (!handoff_.adopted(w.worker.id)) return listening_for;
  if (handoff_.listens(w.worker.id)) return 0ms;  // graced has seen it happen, and was patient already
  // The first generation shows what to expect of the next ones: that it has no address at all is believed
  // only of one that rests for long.
  const bool nothing_known = w.expected->expectation.of_first_generation && w.worker.passed.empty();
  return nothing_known && !handoff_.bound_anything(w.worker.id) ? nothing_bound_for : listening_for;
}

Duration ReadyWatch::quiet_for(const Watched& w) const {
  const bool known = w.expected && !w.expected->expectation.of_first_generation && !w.expected->hidden;
  return known && w.rule != ReadyRule::listen ? quiet_when_seen : quiet_otherwise;
}

ReadyWatch::Learned& ReadyWatch::learned_of(std::uint64_t generation) {
  constexpr std::size_t most = 4;  // one that serves, one on trial, and those that failed since
  if (learned_.size() >= most && !learned_.contains(generation)) learned_.erase(learned_.begin());
  return learned_[generation];
}

void ReadyWatch::look_soon(Instant when) {
  if (when >= next_look_) return;
  next_look_ = when;
  if (timer_) timer_.fire_at(when);
}

ReadyWatch::Watched* ReadyWatch::find(WorkerId worker) {
  const auto c = std::ranges::find(watched_, worker, [](const Watched& w) { return w.worker.id; });
  return c == watched_.end() ? nullptr : &*c;
}

const ReadyWatch::Watched* ReadyWatch::find(WorkerId worker) const {
  return const_cast<ReadyWatch*>(this)->find(worker);
}

}  // namespace graced
