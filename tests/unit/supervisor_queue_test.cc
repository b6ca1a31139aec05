// A reload during a reload: remembered, at most one, run next, everybody answered once. Bursts of
// SIGHUPs.
#include <algorithm>

#include "supervisor_story.h"

namespace graced {

TEST_CASE("a reload asked during a reload runs next") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.happens(ReloadAsked{RequestId{8}});
  CHECK(s.last.empty());
  CHECK(s.supervisor.status().reload_queued);

  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(the<Answer>(s.last).generation == GenerationId{2});
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
  CHECK_FALSE(s.supervisor.status().reload_queued);

  s.prepared();
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{8});
  CHECK(the<Answer>(s.last).generation == GenerationId{3});
  CHECK(none<Prepare>(s.last));
  CHECK(s.serving_generation() == GenerationId{3});
}

TEST_CASE("a reload asked during a reload that fails runs next all the same") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.happens(ReloadAsked{RequestId{8}});
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{8});
  CHECK(the<Answer>(s.last).ok);
}

TEST_CASE("all who ask during a reload share the next one, and each gets one answer") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  for (std::uint64_t asker = 8; asker <= 12; ++asker) s.happens(ReloadAsked{RequestId{asker}});
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{7});

  std::vector<RequestId> answered;
  SUBCASE("when it succeeds") {
    s.prepared();
    s.candidate_becomes_ready();
    for (const Answer& a : only<Answer>(s.last)) {
      CHECK(a.ok);
      answered.push_back(a.to);
    }
  }
  SUBCASE("when it fails") {
    s.happens(PreparationFailed{s.preparing, "no"});
    for (const Answer& a : only<Answer>(s.last)) {
      CHECK_FALSE(a.ok);
      CHECK(a.why == "no");
      answered.push_back(a.to);
    }
  }
  CHECK(answered == std::vector{RequestId{8}, RequestId{9}, RequestId{10}, RequestId{11}, RequestId{12}});
  CHECK(none<Prepare>(s.last));
  CHECK(s.preparing == GenerationId{3});
  s.happens(StopAsked{nobody});
  CHECK(none<Answer>(s.last));
}

TEST_CASE("reloads that follow each other without pause are queued one at a time") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{1}});
  for (std::uint64_t round = 2; round <= 20; ++round) {
    s.happens(ReloadAsked{RequestId{round}});
    CHECK(none<Prepare>(s.last));
    s.prepared();
    s.candidate_becomes_ready();
    CHECK(the<Answer>(s.last).to == RequestId{round - 1});
    CHECK(the<Prepare>(s.last).generation == GenerationId{round + 1});
  }
}

TEST_CASE("a hundred SIGHUPs in 10 ms cost at most two reloads, however fast those are") {
  Duration reload_takes{};
  SUBCASE("1 ms") {
    reload_takes = 1ms;
  }
  SUBCASE("3 ms") {
    reload_takes = 3ms;
  }
  SUBCASE("9.9 ms") {
    reload_takes = 9900us;
  }
  SUBCASE("50 ms") {
    reload_takes = 50ms;
  }
  SUBCASE("1 s") {
    reload_takes = 1s;
  }

  Story s = serving();
  Instant ready_at = no_deadline;
  const auto look = [&] {
    if (!none<Prepare>(s.last)) {
      s.prepared();
      ready_at = s.now + reload_takes;
    }
  };
  for (int hup = 0; hup < 100; ++hup) {
    s.happens(ReloadAsked{nobody});
    look();
    s.passes(100us);
    look();
    if (s.now >= ready_at) {
      ready_at = no_deadline;
      s.candidate_becomes_ready();
      look();
    }
  }
  for (int i = 0; i < 3000 && s.phase() == "reloading"; ++i) {
    s.passes(1ms);
    if (s.now >= ready_at) s.candidate_becomes_ready();
    look();
  }
  s.passes(20ms);  // the quiet after the burst
  look();
  s.candidate_becomes_ready();
  CHECK(s.serving_generation() == GenerationId{3});
  CHECK(s.preparing == GenerationId{3});
  CHECK_FALSE(s.supervisor.status().reload_queued);
  s.passes(50s);
  CHECK(none<Prepare>(s.last));
}

TEST_CASE("after several SIGHUPs during a reload the next one waits for 20 ms of quiet") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(ReloadAsked{nobody});
  s.passes(3ms);
  s.happens(ReloadAsked{nobody});
  s.candidate_becomes_ready();
  CHECK(none<Prepare>(s.last));
  CHECK(s.phase() == "serving");
  CHECK(s.supervisor.next_deadline() == s.now + 20ms);
  s.passes(19ms);
  CHECK(none<Prepare>(s.last));
  s.happens(ReloadAsked{nobody});  // the burst goes on
  s.passes(20ms - 1ns);
  CHECK(none<Prepare>(s.last));
  s.passes(1ns);
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
}

TEST_CASE("while a reload goes on, what waits in the queue wakes nobody") {
  Story s = serving(Policy{.ready_timeout = infinity});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(ReloadAsked{nobody});
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("a SIGHUP each 10 ms for ever does not put the reload off for ever") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  const Instant first_asked = s.now;
  s.happens(ReloadAsked{nobody});
  s.happens(ReloadAsked{nobody});
  s.passes(1ms);
  s.candidate_becomes_ready();
  while (s.preparing == GenerationId{2} && s.now < first_asked + 10s) {
    s.passes(10ms);
    if (s.preparing == GenerationId{2}) s.happens(ReloadAsked{nobody});
  }
  CHECK(s.preparing == GenerationId{3});
  CHECK(s.now >= first_asked + 200ms);
  CHECK(s.now <= first_asked + 210ms);
}

TEST_CASE("somebody who waits for an answer does not wait for the quiet") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();

  SUBCASE("asking during the reload, before a SIGHUP") {
    s.happens(ReloadAsked{RequestId{7}});
    s.happens(ReloadAsked{nobody});
    s.candidate_becomes_ready();
  }
  SUBCASE("asking during the reload, after a SIGHUP") {
    s.happens(ReloadAsked{nobody});
    s.happens(ReloadAsked{RequestId{7}});
    s.candidate_becomes_ready();
  }
  SUBCASE("asking in the quiet") {
    s.happens(ReloadAsked{nobody});
    s.happens(ReloadAsked{nobody});
    s.candidate_becomes_ready();
    CHECK(none<Prepare>(s.last));
    s.happens(ReloadAsked{RequestId{7}});
  }
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(none<Prepare>(s.last));
}

TEST_CASE("a SIGHUP that comes after a reload has ended starts the next one at once") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.candidate_becomes_ready();
  s.happens(ReloadAsked{nobody});
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
}

TEST_CASE("a hundred SIGHUPs during reloads of less than a millisecond cost two, not three") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  for (int hup = 0; hup < 100; ++hup) {
    s.passes(150us);
    s.happens(ReloadAsked{nobody});
    if (hup % 5 != 0 || s.phase() != "reloading") continue;  // the others come together
    s.candidate_becomes_ready();
    if (!none<Prepare>(s.last)) s.prepared();
  }
  CHECK(s.preparing == GenerationId{2});
  s.passes(20ms);
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
  s.prepared();
  s.candidate_becomes_ready();
  s.passes(50s);
  CHECK(s.preparing == GenerationId{3});
}

TEST_CASE("a SIGHUP long before a reload ends has had its quiet by then") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(ReloadAsked{nobody});
  s.passes(20ms);
  s.candidate_becomes_ready();
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
}

TEST_CASE("each burst has its own patience") {
  Story s = serving();
  for (int burst = 0; burst < 3; ++burst) {
    s.happens(ReloadAsked{nobody});
    REQUIRE(only<Prepare>(s.last).size() == 1);
    s.prepared();
    s.happens(ReloadAsked{nobody});
    s.happens(ReloadAsked{nobody});
    s.candidate_becomes_ready();
    CHECK(s.supervisor.next_deadline() == s.now + 20ms);
    s.passes(20ms);
    REQUIRE(only<Prepare>(s.last).size() == 1);
    s.prepared();
    s.candidate_becomes_ready();
    s.everybody_exits_but(s.serving());
    s.passes(1min);
  }
}

}  // namespace graced
