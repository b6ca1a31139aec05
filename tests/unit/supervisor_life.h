// A supervisor lives on for a while, whatever it has been before: anything may happen to it, and none of that
// may break it. For those that come from a state which may be anybody's.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "core/phase_limit.h"
#include "core/story.h"
#include "core/supervisor.h"

namespace graced {

// The result: what it did wrong; empty: nothing.
inline std::string lives_on(Supervisor& core, std::uint64_t seed, int events) {
  std::mt19937_64 random(seed);
  const auto any = [&](std::uint64_t n) { return random() % n; };
  Instant now{Duration{static_cast<std::int64_t>(any(1'000'000'000'000'000'000))}};
  for (int i = 0; i < events; ++i) {
    const Status s = core.status();
    static_cast<void>(story_of(s));
    static_cast<void>(phase_limit(s, core.next_deadline()));
    const WorkerId worker = s.workers.empty() ? WorkerId{any(5)} : s.workers[any(s.workers.size())].worker;
    const GenerationId candidate = s.candidate.value_or(GenerationId{any(5)});
    const GenerationId serving = s.serving.value_or(GenerationId{any(5)});
    const auto probe = static_cast<unsigned>(any(3));
    Policy policy;
    policy.workers = 1 + static_cast<unsigned>(any(3));
    policy.probation = any(2) * 1s;
    if (any(3) == 0) policy.canary = {{50, 1s}, {500, 2s}};
    if (any(3) == 0) policy.probes = {{.what = "a look", .while_serving = 1s}};
    if (any(3) == 0) policy.max_surge = {1};
    const auto happens = [&](const Event& e) { return core.handle(e, now); };
    switch (any(22)) {
      case 0:
        happens(Prepared{candidate, policy});
        break;
      case 1:
        happens(PreparationFailed{candidate, "no"});
        break;
      case 2:
        happens(WorkerReady{worker});
        break;
      case 3:
        happens(WorkerListening{worker});
        break;
      case 4:
        happens(WorkerUnfit{worker, "no"});
        break;
      case 5:
        happens(WorkerStopping{worker});
        break;
      case 6:
        happens(WorkerAsksTime{worker, 1s});
        break;
      case 7:
        happens(WorkerIdle{worker});
        break;
      case 8:
        happens(WorkerGone{worker, {"exited with status 1", 1}, any(3) == 0});
        break;
      case 9:
        happens(TreeGone{worker});
        break;
      case 10:
        happens(ProbePassed{any(2) ? candidate : serving, probe});
        break;
      case 11:
        happens(ProbeFailed{any(2) ? candidate : serving, probe, "503"});
        break;
      case 12:
        happens(ShareFailed{candidate, "no"});
        break;
      case 13:
        happens(GatePassed{candidate, s.canary ? s.canary->step : 1});
        break;
      case 14:
        happens(GateFailed{candidate, s.canary ? s.canary->step : 1, "no"});
        break;
      case 15:
        happens(Settled{s.previous.value_or(serving)});
        break;
      case 16:
        happens(ReloadAsked{RequestId{any(9)}, any(2) == 0});
        break;
      case 17:
        happens(any(2) ? Event{AbortAsked{"somebody"}} : Event{RollbackAsked{"somebody"}});
        break;
      case 18:
        happens(any(2) ? Event{SurvivorsFound{}} : Event{SurvivorsGone{}});
        break;
      case 19:
        if (any(8) == 0) happens(StopAsked{RequestId{any(9)}});
        if (any(8) == 0) happens(HammerAsked{});
        break;
      default:
        if (core.next_deadline() != no_deadline) now = std::max(now, core.next_deadline());
        if (core.handle(TimePassed{}, now).empty() && core.next_deadline() <= now)
          return "it waits for what is past, and does nothing about it: " + story_of(core.status());
    }
  }
  return {};
}

}  // namespace graced
