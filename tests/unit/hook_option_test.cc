// --on EVENT[,EVENT…]=COMMAND.
#include "options/hook_option.h"

#include <doctest/doctest.h>

using namespace graced;

namespace {

using Kind = InstanceEvent::Kind;

std::string complaint(std::string_view text) {
  try {
    read_hook(text);
  } catch (const std::invalid_argument& why) { return why.what(); }
  return "none";
}

}  // namespace

TEST_CASE("one event and one command") {
  const Hook hook = read_hook("reloaded=./tell.sh 'two words'");
  CHECK(hook.on == std::vector{Kind::reloaded});
  CHECK(hook.command == std::vector<std::string>{"./tell.sh", "two words"});
}

TEST_CASE("several events, and a command with an equals sign in it") {
  const Hook hook = read_hook("reload-failed,crashed,gave-up=curl --data=x http://127.0.0.1/");
  CHECK(hook.on == std::vector{Kind::reload_failed, Kind::crashed, Kind::gave_up});
  CHECK(hook.command.at(1) == "--data=x");
}

TEST_CASE("a hook that cannot be meant is refused, with the way out") {
  CHECK(complaint("./tell.sh") == "no '=' in it: EVENT=COMMAND is what is wanted");
  CHECK(
      complaint("reladed=./tell.sh") ==
      "no event is called 'reladed', they are serving, reloaded, reload-failed, promoted, rolled-back, "
      "replaced, replacement-failed, taken, upgraded, upgrade-failed, crashed, hammered, gave-up or stopping; "
      "did you mean 'reloaded'?");
  CHECK(complaint("reloaded,=x").starts_with("no event is called ''"));
  CHECK(complaint("=x").starts_with("no event is called ''"));
  CHECK(complaint("reloaded,crashed,reloaded=x") == "'reloaded' stands there twice");
  CHECK(complaint("reloaded=") == "the command is empty");
  CHECK(complaint("reloaded=  ") == "the command is empty");
  CHECK(complaint("reloaded='x").find("quote") != std::string::npos);
}
