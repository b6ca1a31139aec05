// `graced abort`: a reload that runs ends as if it had failed, and what serves goes on serving.
#include "supervisor_story.h"

namespace graced {

namespace {

const AbortAsked abort_by_root{"root (PID 812)"};

}  // namespace

TEST_CASE("an aborted reload throws its candidate away, and who waits is told by whom") {
  Story s = serving();
  const WorkerId old = s.newest();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  const WorkerId candidate = s.newest();

  s.happens(abort_by_root);
  CHECK(the<Abandon>(s.last).generation == GenerationId{2});
  CHECK(the<Abandon>(s.last).why == "aborted by root (PID 812)");
  CHECK(the<Drain>(s.last).worker == candidate);
  const Answer answer = the<Answer>(s.last);
  CHECK(answer.to == RequestId{7});
  CHECK_FALSE(answer.ok);
  CHECK(answer.why == "aborted by root (PID 812)");
  CHECK(answer.generation == GenerationId{1});
  CHECK(s.status(candidate).thrown_away);
  CHECK_FALSE(s.status(old).thrown_away);
  CHECK(s.state(old) == "ready");
  CHECK(s.phase() == "serving");
  CHECK(s.supervisor.status().failed_reloads == 1);

  s.happens(WorkerReady{candidate});  // it was about to say so
  CHECK(s.last.empty());
  CHECK(s.serving_generation() == GenerationId{1});
}

TEST_CASE("a reload is aborted while it is prepared, as by its --check, as well") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.happens(abort_by_root);
  CHECK(the<Abandon>(s.last).generation == GenerationId{2});
  CHECK_FALSE(the<Answer>(s.last).ok);
  s.happens(Prepared{GenerationId{2}, s.policy});  // and comes too late
  CHECK(s.last.empty());
  s.reloads();
  CHECK(s.serving_generation() == GenerationId{3});
}

TEST_CASE("a reload that was asked for during the aborted one is next") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.happens(ReloadAsked{RequestId{8}});
  s.happens(abort_by_root);
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{8});
  CHECK(the<Answer>(s.last).ok);
}

TEST_CASE("where no reload runs an abort changes nothing") {
  SUBCASE("while all serve") {
    Story s = serving();
    s.happens(abort_by_root);
    CHECK(s.last.empty());
    CHECK(s.supervisor.status().failed_reloads == 0);
  }
  SUBCASE("during the first start, which has nothing to fall back on") {
    Story s;
    s.happens(ReloadAsked{nobody});
    s.prepared();
    s.happens(abort_by_root);
    CHECK(s.last.empty());
    s.candidate_becomes_ready();
    CHECK(s.serving_generation() == GenerationId{1});
  }
  SUBCASE("while graced stops") {
    Story s = serving();
    s.happens(ReloadAsked{RequestId{7}});
    s.happens(StopAsked{nobody});
    s.happens(abort_by_root);
    CHECK(s.last.empty());
  }
}

}  // namespace graced
