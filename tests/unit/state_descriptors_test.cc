// Descriptors in a state have the names of their places, and more kinds of values come back as they were.
#include <doctest/doctest.h>

#include <array>
#include <list>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "state/state_reader.h"
#include "state/state_writer.h"

namespace graced {

namespace {

struct Holder {
  int fd = -1;
  int none = -1;
  int lent = -1;
  std::map<unsigned, int> by_number{};
};

struct Holders {
  std::vector<Holder> all{};
  std::set<unsigned> numbers{};
  std::list<std::string> texts{};
  std::pair<unsigned, std::string> pair{};
  std::vector<bool> flags{};
  std::array<unsigned, 2> two{};
};

}  // namespace

template <>
struct Members<Holder> {
  static constexpr std::tuple all{
      Carried{"fd", &Holder::fd},
      Carried{"none", &Holder::none},
      Borrowed{"lent", &Holder::lent},
      Carried{"by-number", &Holder::by_number},
  };
};

template <>
struct Members<Holders> {
  static constexpr std::tuple all{
      Named{"all", &Holders::all},   Named{"numbers", &Holders::numbers}, Named{"texts", &Holders::texts},
      Named{"pair", &Holders::pair}, Named{"flags", &Holders::flags},     Named{"two", &Holders::two},
  };
};

namespace {

TEST_CASE("a descriptor in a state is called by the place where it stands") {
  StateWriter state("0.2.0");
  state.add("holders", Holders{.all = {{.fd = 7}, {.fd = 8, .lent = 7, .by_number = {{4, 9}}}}});
  CHECK(state.carried() == std::vector<StateDescriptor>{{"holders.all[0].fd", 7},
                                                        {"holders.all[1].fd", 8},
                                                        {"holders.all[1].by-number[0]", 9}});
  CHECK(state.borrowed() == std::vector<StateDescriptor>{{"holders.all[1].lent", 7}});

  Holders after;
  StateReader(state.text()).read("holders", after);
  CHECK(after.all.size() == 2);
  CHECK(after.all[1].fd == 8);
  CHECK(after.all[1].lent == 7);
  CHECK(after.all[1].by_number == std::map<unsigned, int>{{4, 9}});
}

TEST_CASE("sets, lists, pairs, flags and arrays of a state come back as they were") {
  StateWriter state("0.2.0");
  state.add(
      "holders",
      Holders{
          .numbers = {3, 1}, .texts = {"a", "b"}, .pair = {5, "five"}, .flags = {true, false}, .two = {8, 9}});
  Holders after;
  StateReader(state.text()).read("holders", after);
  CHECK(after.numbers == std::set<unsigned>{1, 3});
  CHECK(after.texts == std::list<std::string>{"a", "b"});
  CHECK(after.pair == std::pair<unsigned, std::string>{5, "five"});
  CHECK(after.flags == std::vector<bool>{true, false});
  CHECK(after.two == std::array<unsigned, 2>{8, 9});
}

TEST_CASE("what a set has twice, and an array or a pair of another length, is refused by its place") {
  const auto refused = [](const std::string& part) {
    Holders into;
    CHECK_THROWS_AS(StateReader(R"({"format": 1, "holders": {)" + part + "}}").read("holders", into),
                    StateError);
  };
  refused(R"("numbers": [1, 1])");
  refused(R"("two": [1])");
  refused(R"("pair": [1])");
  refused(R"("all": [{"fd": "7"}])");
}

}  // namespace
}  // namespace graced
