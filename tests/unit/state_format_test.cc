// The rules by which versions understand each other's states; state/members.h, json_writer.h and state_reader.h
// have them.
#include <doctest/doctest.h>

#include <array>
#include <map>

#include "state/core_state.h"
#include "state/policy_members.h"

namespace graced {

namespace {

struct Sample {
  unsigned small = 1;
  std::int32_t number = 0;
  std::uint64_t large = 0;
  bool flag = false;
  Duration time = 0s;
  Instant at{};
  DrainRule rule = DrainRule::signal;
  std::string text{};
  std::optional<Duration> maybe{};
  std::vector<unsigned> several{};
  std::map<unsigned, Duration> pairs{};
  unsigned later = 5;  // came with a later version, which must be understood where it is not 5
};

}  // namespace

template <>
struct Members<Sample> {
  static constexpr std::tuple all{
      Named{"small", &Sample::small}, Named{"number", &Sample::number},
      Named{"large", &Sample::large}, Named{"flag", &Sample::flag},
      Named{"time", &Sample::time},   Named{"at", &Sample::at},
      Named{"rule", &Sample::rule},   Named{"text", &Sample::text},
      Named{"maybe", &Sample::maybe}, Named{"several", &Sample::several},
      Named{"pairs", &Sample::pairs}, Named{"later", &Sample::later, "later-thing"},
  };
};

namespace {

std::string written(const Sample& sample) {
  StateWriter state("0.2.0");
  state.add("sample", sample);
  return state.text();
}

constexpr std::array<std::string_view, 1> later_thing{"later-thing"};

Sample read_back(const std::string& text) {
  Sample sample;
  StateReader(text, later_thing).read("sample", sample);
  return sample;
}

// "small": 7 becomes the state of a sample with that.
std::string state_with(const std::string& members) {
  return R"({"format": 1, "sample": {)" + members + "}}";
}

std::string complaint(const std::string& text) {
  try {
    read_back(text);
  } catch (const StateError& error) { return error.what(); }
  return "";
}

std::string complaint_about(const std::string& members) {
  return complaint(state_with(members));
}

}  // namespace

TEST_CASE("a state says its format, who has written it, and what it needs") {
  CHECK(written({}).starts_with(R"({"format":1,"written-by":"0.2.0","needs":[],"sample":{)"));
  CHECK(written({.later = 6}).starts_with(R"({"format":1,"written-by":"0.2.0","needs":["later-thing"],)"));
  CHECK(StateReader(written({})).written_by() == "0.2.0");

  StateWriter state("0.2.0");
  state.need("takeover");
  CHECK(complaint(state.text()) == "the state needs what this version does not know: takeover");
}

TEST_CASE("values are read as they were written, whatever they are") {
  const Sample s{.small = 4294967295,
                 .number = -2147483647 - 1,
                 .large = 18446744073709551615u,
                 .flag = true,
                 .time = infinity,
                 .at = no_deadline,
                 .rule = DrainRule::idle,
                 .text = std::string("\0 \xff\n\"", 5),
                 .maybe = 0s,
                 .several = {3, 1, 2},
                 .pairs = {{0, 1s}, {7, infinity}},
                 .later = 6};
  const std::string text = written(s);
  CHECK(text.find(R"("time":"infinity","at":"never","rule":"idle","text":{"hex":"0020ff0a22"})") !=
        std::string::npos);
  const Sample r = read_back(text);
  CHECK(r.small == s.small);
  CHECK(r.number == s.number);
  CHECK(r.large == s.large);
  CHECK(r.flag == s.flag);
  CHECK(r.time == s.time);
  CHECK(r.at == s.at);
  CHECK(r.rule == s.rule);
  CHECK(r.text == s.text);
  CHECK(r.maybe == s.maybe);
  CHECK(r.several == s.several);
  CHECK(r.pairs == s.pairs);
  CHECK(r.later == s.later);
}

TEST_CASE(
    "what an earlier version did not write is as it is by default, and what a later one adds is left out") {
  const Sample s = read_back(state_with(R"("small": 7, "colour": {"red": [1, 2]})"));
  CHECK(s.small == 7);
  CHECK(s.later == 5);
  CHECK(s.time == 0s);
}

TEST_CASE("what is read replaces what was there, whether it is written or not") {
  Sample s{.small = 9, .text = "before", .several = {1, 2}, .pairs = {{1, 1s}}};
  StateReader(state_with(R"("several": [5])")).read("sample", s);
  CHECK(s.small == 1);
  CHECK(s.text.empty());
  CHECK(s.several == std::vector<unsigned>{5});
  CHECK(s.pairs.empty());
}

TEST_CASE("a state that cannot be read changes nothing") {
  Sample s{.small = 9};
  CHECK_THROWS_AS(StateReader(state_with(R"("small": 7, "time": -1)")).read("sample", s), StateError);
  CHECK(s.small == 9);
}

TEST_CASE("a number that does not fit is refused, and its place and the limits are named") {
  CHECK(complaint_about(R"("small": 4294967296)") ==
        "sample.small: 4294967296 is not between 0 and 4294967295");
  CHECK(complaint_about(R"("small": -1)") == "sample.small: -1 is not between 0 and 4294967295");
  CHECK(complaint_about(R"("number": 2147483648)") ==
        "sample.number: 2147483648 is not between -2147483648 and 2147483647");
  CHECK(complaint_about(R"("number": 18446744073709551615)") ==
        "sample.number: 18446744073709551615 is not between -2147483648 and 2147483647");
  CHECK(complaint_about(R"("large": 18446744073709551616)") ==
        "sample.large: 1.8446744073709552e+19 is no whole number of 64 bits");
  CHECK(complaint_about(R"("small": 1.5)") == "sample.small: 1.5 is no whole number of 64 bits");
  CHECK(complaint_about(R"("small": "7")") == "sample.small: is no number, but of type string");
  CHECK(complaint_about(R"("several": [1, 2, -3])") == "sample.several[2]: -3 is not between 0 and 4294967295");
  CHECK(complaint_about(R"("time": -1)") == "sample.time: -1 is not between 0 and 9223372036854775807");
  CHECK(complaint_about(R"("small": 1e999)") == "the state is damaged: it has a number that is too large");
}

TEST_CASE("a value of another kind is refused, and its place is named") {
  CHECK(complaint_about(R"("flag": 1)") == "sample.flag: is neither true nor false, but of type number");
  CHECK(complaint_about(R"("text": 1)") == "sample.text: is no text, but of type number");
  CHECK(complaint_about(R"("text": {"hex": "0g"})") ==
        "sample.text: has a byte that is not two hexadecimal digits");
  CHECK(complaint_about(R"("text": {"hex": "000"})") ==
        "sample.text: has a byte that is not two hexadecimal digits");
  CHECK(complaint_about(R"("several": {})") == "sample.several: is no array, but of type object");
  CHECK(complaint_about(R"("pairs": [[1]])") == "sample.pairs[0]: is no pair");
  CHECK(complaint_about(R"("pairs": [[1, 2], [1, 3]])") == "sample.pairs[1]: is there for the second time");
  CHECK(complaint(R"({"format": 1, "sample": []})") == "sample: is no object, but of type array");
}

TEST_CASE("a word that this version does not know is refused, and named") {
  CHECK(complaint_about(R"("rule": "lazy")") ==
        "sample.rule: 'lazy' is no word that this version knows, which are signal, idle");
  CHECK(complaint_about(R"("at": "infinity")") ==
        "sample.at: 'infinity' is no word that this version knows, which are never");
  CHECK(complaint_about("\"rule\": \"\\u001b[2J" + std::string(1000, 'x') + "\"").size() < 200);
}

TEST_CASE("what is no state of graced, or of another format, is refused") {
  CHECK(complaint("") == "the state is damaged or cut off at byte 1 of 0");
  CHECK(complaint("nonsense") == "the state is damaged or cut off at byte 2 of 8");
  CHECK(complaint("[]") == "it is no object, so it is no state of graced");
  CHECK(complaint("{}") == "it says no format, so it is no state of graced");
  CHECK(complaint(R"({"format": 2})") == "the state has format 2, and this version reads format 1");
  CHECK(complaint(R"({"format": "1"})") == "format: is no number, but of type string");
  CHECK(complaint(R"({"format": 1, "needs": ["later-thing", "a", "b"]})") ==
        "the state needs what this version does not know: a, b");
  CHECK(complaint(R"({"format": 1, "needs": 5})") == "needs: is no array, but of type number");
  CHECK(complaint(R"({"format": 1})") == "the state has no 'sample'");
}

TEST_CASE("a state that is nested without end is refused") {
  const std::string deep(1'000'000, '[');
  CHECK(complaint(deep).starts_with("the state is damaged"));
  CHECK(complaint(R"({"format": 1, "sample": )" + deep + std::string(deep.size(), ']') + "}") ==
        "sample: is no object, but of type array");
}

}  // namespace graced
