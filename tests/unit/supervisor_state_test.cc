// States as versions have written them, and as nobody should have.
//
// GRACED_WRITE_STATES=1 writes those of this version into the tree; those of a version that was released are
// never written again. GRACED_MUTATIONS=N tries so many of each state.
#include <cstdlib>
#include <random>

#include "same_members.h"
#include "state/core_state.h"
#include "state/event_members.h"
#include "state/output_members.h"
#include "state/supervisor_members.h"
#include "state_files.h"
#include "state_losses.h"
#include "state_mutation.h"
#include "supervisor_life.h"
#include "supervisor_situations.h"

namespace graced {

namespace {

constexpr std::string_view this_version = "0.2.0";  // below tests/states

unsigned long from_environment(const char* name, unsigned long otherwise) {
  const char* text = std::getenv(name);
  return text ? std::stoul(text) : otherwise;
}

bool is_one_clear_line(const std::string& text) {
  return text.size() > 10 && text.size() < 400 &&
         std::ranges::none_of(text, [](char c) { return c >= 0 && c < ' '; });
}

}  // namespace

TEST_CASE("what is written of each situation is read as it was") {
  for (const Situation& s : situations()) {
    INFO(s.name);
    const std::string text = written(s, this_version);
    const Situation read = read_situation(s.name, StateReader(text));
    CHECK(same(read.core, s.core));
    CHECK(same(read.history, s.history));
    CHECK(same(read.output, s.output));
    CHECK(same(read.lines, s.lines));
    CHECK(same(read.pieces, s.pieces));
    CHECK(written(read, this_version) == text);
  }
}

TEST_CASE("the states of this version in the tree are those that it writes") {
  const bool writes = from_environment("GRACED_WRITE_STATES", 0) != 0;
  for (const Situation& s : situations()) {
    INFO(s.name);
    const auto path = state_directory() / this_version / (s.name + ".json");
    const Json state = Json::parse(written(s, this_version));
    if (writes) std::ofstream(path) << state.dump(1) << '\n';
    CHECK(Json::parse(content_of(path)) == state);
  }
}

TEST_CASE("a state of any version that was released is read, and nothing of it is lost") {
  for (const auto& path : state_files()) {
    INFO(path);
    const std::string text = content_of(path);
    const StateReader state(text);
    CHECK(state.written_by() == path.parent_path().filename());
    Situation read = read_situation(path.stem(), state);
    CHECK(first_lost(Json::parse(text), Json::parse(written(read, state.written_by()))) == "");
    CHECK(lives_on(read.core, 1, 200) == "");
  }
}

TEST_CASE("a state that is cut off anywhere is refused with one line") {
  const std::string text = written(situations().back(), this_version);
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    try {
      StateReader state(std::string_view(text).substr(0, length));
      FAIL("read with " << length << " of " << text.size() << " bytes");
    } catch (const StateError& error) {
      if (!is_one_clear_line(error.what())) FAIL(std::string(error.what()));
    }
  }
}

TEST_CASE("whatever a state says, it is refused with one line, or gone on with") {
  const unsigned long mutations = from_environment("GRACED_MUTATIONS", 200);
  unsigned long refused = 0;
  unsigned long gone_on_with = 0;
  for (const auto& path : state_files()) {
    const std::string text = content_of(path);
    for (unsigned long seed = 1; seed <= mutations; ++seed) {
      const std::string mutated = state_mutation(text, seed);
      try {
        Situation read = read_situation(path.stem(), StateReader(mutated));
        const std::string wrong = lives_on(read.core, seed, 60);
        if (!wrong.empty()) FAIL(path << ", mutation " << seed << ": " << wrong);
        ++gone_on_with;
      } catch (const StateError& error) {
        if (!is_one_clear_line(error.what()))
          FAIL(path << ", mutation " << seed << ": " << std::string(error.what()));
        ++refused;
      }
    }
  }
  INFO(refused << " refused, " << gone_on_with << " gone on with");
  CHECK(refused > gone_on_with / 10);
  CHECK(gone_on_with > refused / 10);
}

}  // namespace graced
