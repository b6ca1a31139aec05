// See ready_watch.h.
//
// A worker that says READY=1 and dies at once must not cost the one that serves. So it is believed
// when it has come to rest (having said what it had to say, it waits for work), be it between two of our
// looks, or when it has survived for a while: the time it ran counts, for on a crowded machine it may not
// have run at all since.
#include "ready_watch.h"

#include <sched.h>

#include <algorithm>

#include "linux/listening.h"
#include "linux/process.h"

namespace graced {

namespace {

// How long a worker that said READY=1 may stay busy before it is believed: on a processor, and by the clock.
constexpr Duration believe_after_running = 1ms;
constexpr Duration believe_after = 20ms;

// The usual worker rests within microseconds, so it is given those before we sleep.
constexpr int looks_at_once = 4;

// How long a worker must be seen listening.
constexpr Duration listening_for = 20ms;

// How long one that binds nothing must rest until it is believed to need no address.
constexpr Duration nothing_bound_for = 10s;

// The first look after the start of one that is to listen.
constexpr Duration first_look = 5ms;

}  // namespace

ReadyWatch::ReadyWatch(Loop& loop, Handoff& handoff, Ears ears)
    : loop_(loop), handoff_(handoff), ears_(std::move(ears)) {}

void ReadyWatch::attend() {
  timer_ = loop_.timer([this] { look(); });
  timer_.fire_at(next_look_);
}

void ReadyWatch::watch(WorkerId worker, pid_t pid) {
  watched_.push_back({worker, pid, monotonic_now()});
}

void ReadyWatch::expect_listening(WorkerId worker, std::vector<int> passed, bool of_first_generation) {
  Watched* w = find(worker);
  if (!w) return;
  w->expected = Expected{std::move(passed), of_first_generation};
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
  watched_.remove_if([&](const Watched& w) { return w.worker == worker; });
}

bool ReadyWatch::has_said_ready(WorkerId worker) const {
  const Watched* w = find(worker);
  return w && w->said;
}

bool ReadyWatch::waits_for_listening(WorkerId worker) const {
  const Watched* w = find(worker);
  return w && w->expected;
}

void ReadyWatch::look() {
  const Instant now = monotonic_now();
  next_look_ = no_deadline;
  std::vector<WorkerId> waiting;  // what one look finds may make others forgotten
  for (const Watched& w : watched_) {
    if (w.said || w.expected) waiting.push_back(w.worker);
  }
  for (const WorkerId worker : waiting) {
    if (Watched* w = find(worker)) look_at(*w, now);
  }
}

void ReadyWatch::look_at(Watched& w, Instant now) {
  if (w.said) {
    look_whether_it_lives(w, now);
  } else if (w.expected) {
    look_whether_it_listens(w, now);
  }
}

void ReadyWatch::look_whether_it_lives(Watched& w, Instant now) {
  Said& said = *w.said;
  const Duration waited = now - said.when;
  Rest rest = rest_of(w.pid);
  for (int i = 0; i < looks_at_once && rest == Rest::busy && waited == 0ms; ++i) {
    ::sched_yield();
    rest = rest_of(w.pid);
  }
  if (rest == Rest::exiting) return;  // whoever reaps it will tell

  const bool itself = said.sender == w.pid;
  const bool rests = rest == Rest::resting && (itself || rest_of(said.sender) == Rest::resting);
  if (!rests && !said.run) {
    said.run = time_run(w.pid);
    said.rested = times_rested(w.pid);
  }
  // Since the first look.
  const auto has_gone_on = [&] {
    if (!itself) return false;
    const auto rested = times_rested(w.pid);
    if (rested && said.rested && *rested > *said.rested && rest_of(w.pid) != Rest::exiting) return true;
    return time_run(w.pid) - *said.run >= believe_after_running;
  };
  if (rests || waited >= believe_after || has_gone_on()) {
    const WorkerId worker = w.worker;
    forget(worker);
    ears_.ready(worker);
  } else {
    look_soon(now + std::clamp<Duration>(waited, 100us, 1ms));
  }
}

void ReadyWatch::look_whether_it_listens(Watched& w, Instant now) {
  Expected& expected = *w.expected;
  if (!listens(w, now)) {
    expected.seen.reset();
  } else if (!expected.seen) {
    expected.seen = now;
  }
  const Duration long_enough = must_be_seen_for(w);
  if (expected.seen && now - *expected.seen >= long_enough) {
    const WorkerId worker = w.worker;
    forget(worker);
    ears_.listening(worker);
    return;
  }
  const Instant next = expected.seen ? *expected.seen + long_enough
                                     : now + std::clamp<Duration>((now - w.started) / 10, 5ms, 100ms);
  look_soon(std::max<Instant>(next, now + 1ms));
}

bool ReadyWatch::listens(const Watched& w, Instant now) {
  const std::vector<int>& passed = w.expected->passed;
  if (!passed.empty() && !waits_on_all(w.pid, passed)) return false;
  if (handoff_.adopted(w.worker) && !handoff_.waits_for(w.worker, now).empty()) return false;
  // Without an address there is nothing to be seen waiting on: then it must have come to rest.
  return !passed.empty() || handoff_.listens(w.worker) || rest_of(w.pid) == Rest::resting;
}

Duration ReadyWatch::must_be_seen_for(const Watched& w) const {
  if (!handoff_.adopted(w.worker)) return listening_for;
  if (handoff_.listens(w.worker)) return 0ms;  // graced has seen it happen, and was patient already
  // The first generation shows what to expect of the next ones: that it has no address at all is believed
  // only of one that rests for long.
  const bool nothing_known = w.expected->of_first_generation && w.expected->passed.empty();
  return nothing_known && !handoff_.bound_anything(w.worker) ? nothing_bound_for : listening_for;
}

void ReadyWatch::look_soon(Instant when) {
  if (when >= next_look_) return;
  next_look_ = when;
  if (timer_) timer_.fire_at(when);
}

ReadyWatch::Watched* ReadyWatch::find(WorkerId worker) {
  const auto c = std::ranges::find(watched_, worker, &Watched::worker);
  return c == watched_.end() ? nullptr : &*c;
}

const ReadyWatch::Watched* ReadyWatch::find(WorkerId worker) const {
  return const_cast<ReadyWatch*>(this)->find(worker);
}

}  // namespace graced
