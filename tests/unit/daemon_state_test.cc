// The states of whole instances, as versions have written them (tests/states/instances), and as nobody should
// have.
#include "daemon/daemon_state.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>

#include "core/version.h"
#include "state_files.h"
#include "state_losses.h"
#include "state_mutation.h"

namespace graced {

namespace {

std::filesystem::path instance_states() {
  return state_directory() / "instances";
}

// One of them, with a change.
std::string changed(const std::string& situation, const std::function<void(Json& state)>& change) {
  Json state;
  for (const auto& path : state_files(instance_states())) {
    if (path.stem() == situation) state = Json::parse(content_of(path));
  }
  REQUIRE(state.is_object());
  change(state);
  return state.dump();
}

std::string refusal(const std::string& text) {
  try {
    read_daemon_state(text);
    return "";
  } catch (const StateError& error) { return error.what(); }
}

}  // namespace

TEST_CASE(
    "the state of a whole instance, of any version that was released, is read and nothing of it is lost") {
  for (const auto& path : state_files(instance_states())) {
    INFO(path);
    const Json before = Json::parse(content_of(path));
    Json after = Json::parse(daemon_state_text(read_daemon_state(before.dump())));
    CHECK(before.at("written-by") == path.parent_path().filename().string());
    CHECK(after.at("written-by") == own_version());
    after["written-by"] = before.at("written-by");
    CHECK(first_lost(before, after) == "");
    CHECK(daemon_state_text(read_daemon_state(after.dump())) ==
          daemon_state_text(read_daemon_state(before.dump())));
  }
}

TEST_CASE("all that owns a descriptor must be handed it, and nothing else is handed over") {
  const auto with = [](auto change) { return refusal(changed("serving", change)); };
  CHECK(with([](Json&) {}) == "");

  const std::string forgotten = with([](Json& s) { s["carried"].erase(0); });
  CHECK(forgotten.ends_with("is not among those that are handed over"));
  const std::string of_nobody = with([](Json& s) {
    Json more = s["carried"][0];
    more["fd"] = 1234;
    more["name"] = "later.thing";
    s["carried"].push_back(more);
  });
  CHECK(of_nobody == "descriptor 1234 (later.thing) is handed over, and this version has no use for it");
  const std::string twice = with([](Json& s) { s["carried"].push_back(s["carried"][0]); });
  CHECK(twice.ends_with("is named twice"));
  const std::string of_two =
      with([](Json& s) { s["addresses"]["listeners"][1]["fd"] = s["addresses"]["listeners"][0]["fd"]; });
  CHECK(of_two.find("is that of addresses.listeners[0].fd as well") != std::string::npos);
  const std::string of_starter = with([](Json& s) { s["carried"][0]["of-starter"] = true; });
  CHECK(of_starter.ends_with("is not among those that are handed over"));
}

TEST_CASE("a part that is missing, or of a later version, is told by its name") {
  const auto with = [](auto change) { return refusal(changed("serving", change)); };
  CHECK(with([](Json& s) { s.erase("planner"); }) == "the state has no 'planner'");
  CHECK(with([](Json& s) { s["a-later-part"] = 5; }) == "");
  CHECK(with([](Json& s) { s.erase("advisor"); }) == "");  // as the state of a version that has none
  CHECK(with([](Json& s) { s["needs"] = {"a-later-part"}; }) ==
        "the state needs what this version does not know: a-later-part");
  CHECK(with([](Json& s) { s["format"] = 2; }) == "the state has format 2, and this version reads format 1");
  CHECK(with([](Json& s) { s["workers"][0]["pid"] = "seven"; }).starts_with("workers[0].pid: "));
}

TEST_CASE(
    "a state of a whole instance as somebody else might have written it is read, or refused in one line") {
  const char* asked = std::getenv("GRACED_MUTATIONS");
  const unsigned long mutations = asked ? std::stoul(asked) : 60;
  for (const auto& path : state_files(instance_states())) {
    const std::string text = Json::parse(content_of(path)).dump();
    for (std::uint64_t seed = 0; seed < mutations; ++seed) {
      INFO(path << ", mutation " << seed);
      const std::string mutated = state_mutation(text, seed);
      try {
        const std::string read = daemon_state_text(read_daemon_state(mutated));
        CHECK(daemon_state_text(read_daemon_state(read)) == read);
      } catch (const StateError& error) {
        const std::string why = error.what();
        CHECK(!why.empty());
        CHECK(why.find('\n') == std::string::npos);
      }
    }
  }
}

}  // namespace graced
