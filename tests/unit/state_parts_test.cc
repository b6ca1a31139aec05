// What of the core besides the supervisor goes on in the next graced: history, output, and what is not a whole
// line yet.
#include <doctest/doctest.h>

#include "same_members.h"
#include "state/core_state.h"
#include "state/event_members.h"
#include "state/output_members.h"

namespace graced {

namespace {

template <class Part>
std::string written(const Part& part) {
  StateWriter state("0.2.0");
  add_to(state, "part", part);
  return state.text();
}

template <class Part>
Part carried(const Part& part) {
  Part next;
  read_from(StateReader(written(part)), "part", next);
  return next;
}

template <class Part>
std::string complaint(const std::string& members) {
  Part part;
  try {
    read_from(StateReader(R"({"format": 1, "part": {)" + members + "}}"), "part", part);
  } catch (const StateError& error) { return error.what(); }
  return "";
}

}  // namespace

TEST_CASE("the history goes on in the next graced, with every kind of event") {
  History history;
  for (const std::string_view kind : instance_event_kinds())
    history.add(
        {.kind = *instance_event_kind(kind), .generation = 3, .took = 2s, .reason = "why\nlast \xff words"});
  CHECK(same(carried(history), history));
  History next = carried(history);
  next.add({.kind = InstanceEvent::Kind::promoted});
  CHECK(next.last(1).front().kind == InstanceEvent::Kind::promoted);
  CHECK(next.last(100).size() == instance_event_kinds().size() + 1);
}

TEST_CASE("an event that only a later version knows stays in the history under its word") {
  History history;
  read_from(StateReader(R"({"format": 1, "part": {"events": [{"event": "taken", "generation": 4}]}})"), "part",
            history);
  CHECK(word_of(history.last(1).front()) == "taken");
  CHECK(written(history).find(R"("event":"taken")") != std::string::npos);
  CHECK(same(carried(history), history));
}

TEST_CASE("of a history that remembers more than this version does the last events are kept") {
  std::string events;
  for (int i = 1; i <= 100; ++i) {
    events += events.empty() ? "" : ",";
    events += R"({"event": "reloaded", "generation": )" + std::to_string(i) + "}";
  }
  History history;
  read_from(StateReader(R"({"format": 1, "part": {"events": [)" + events + "]}}"), "part", history);
  CHECK(history.last(1000).size() == History::capacity);
  CHECK(history.last(1).front().generation == 100);
}

TEST_CASE("what was kept of the output goes on in the next graced, and so do the numbers of lines") {
  KeptOutput output;
  output.begin(1);
  output.begin(2);
  output.add({}, {.generation = 1, .worker = 3, .pid = 9}, {"one"});
  output.add({}, {.generation = 2, .worker = {}, .pid = 10, .at_stderr = true}, {"\xff", true});
  output.failed(2);
  KeptOutput next = carried(output);
  CHECK(same(next, output));
  next.add({}, {.generation = 1, .worker = 3, .pid = 9}, {"three"});
  REQUIRE(next.since(0, 1000).size() == 3);
  CHECK(next.since(0, 1000).back().number == 3);
  next.forget_unless([](std::uint64_t) { return false; });
  CHECK(next.since(0, 1000).size() == 1);
}

TEST_CASE("output that is longer than this version keeps is shortened, and counted from then on") {
  std::string lines;
  for (int i = 1; i <= 50; ++i) {
    lines += lines.empty() ? "" : ",";
    lines +=
        R"({"number": )" + std::to_string(i) + R"(, "said": {"text": ")" + std::string(10'000, 'x') + "\"}}";
  }
  KeptOutput output;
  read_from(StateReader(R"({"format": 1, "part": {"generations": [[7, {"lines": [)" + lines +
                        R"(]}]], "next": 51}})"),
            "part", output);
  const auto kept = output.since(0, 1 << 30);
  CHECK(kept.size() * (10'000 + KeptOutput::line_costs) <= KeptOutput::most);
  CHECK(kept.back().number == 50);
  output.add({}, {.generation = 7}, {std::string(KeptOutput::most - KeptOutput::line_costs, 'y')});
  CHECK(output.since(0, 1 << 30).size() == 1);
}

TEST_CASE("output whose numbers contradict each other is refused") {
  CHECK(
      complaint<KeptOutput>(R"("generations": [[1, {"lines": [{"number": 2}, {"number": 2}]}]], "next": 3)") ==
      "part.generations[0][1]: lines are not in the order of their numbers");
  CHECK(complaint<KeptOutput>(R"("generations": [[1, {"lines": [{"number": 2}]}]], "next": 2)") ==
        "part: a line has a number that is still to come");
  CHECK(complaint<LineBuffer>(R"("unfinished": "ab", "passed-on": 3)") ==
        "part: more has been passed on than there is");
}

TEST_CASE("a line that is half written when graced is replaced comes out whole") {
  LineBuffer lines;
  CHECK(lines.feed("first\nhalf ") == "first\n");
  LineBuffer next = carried(lines);
  CHECK(next.waits());
  CHECK(next.feed("and half\n") == "half and half\n");
  CHECK(next.last_lines() == std::vector<std::string>{"first", "half and half"});
}

TEST_CASE("what of a half line was passed on already is not passed on again") {
  LineBuffer lines;
  static_cast<void>(lines.feed("Password: "));
  CHECK(lines.take_unfinished() == "Password: ");
  LineBuffer next = carried(lines);
  CHECK_FALSE(next.waits());
  CHECK(next.feed("ok\n") == "ok\n");
}

TEST_CASE("a buffer keeps the length of lines that it was made for") {
  LineBuffer lines;
  static_cast<void>(lines.feed("abc"));
  LineBuffer next(4);
  read_from(StateReader(written(lines)), "part", next);
  CHECK(next.feed("de") == "abcde");
}

TEST_CASE("a character that is half written when graced is replaced comes out whole") {
  LinePieces pieces;
  CHECK(pieces.cut("price: 5 \xe2\x82").at(0).text == "price: 5 ");
  LinePieces next = carried(pieces);
  const auto rest = next.cut("\xac\n");
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].text == "\xe2\x82\xac");
  CHECK(rest[0].continues);
}

}  // namespace graced
