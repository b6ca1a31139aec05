#include "core/history.h"

#include <doctest/doctest.h>

using namespace graced;

namespace {

// What is kept of a reason.
std::string kept_of(History& history, const std::string& reason) {
  history.add({.kind = InstanceEvent::Kind::crashed, .reason = reason});
  return history.last(1).at(0).reason;
}

std::vector<std::uint64_t> generations(const std::vector<InstanceEvent>& events) {
  std::vector<std::uint64_t> numbers;
  for (const InstanceEvent& e : events) numbers.push_back(e.generation.value_or(0));
  return numbers;
}

}  // namespace

TEST_CASE("the history keeps the last 64 things, the oldest first") {
  History history;
  CHECK(history.last(5).empty());
  for (std::uint64_t i = 1; i <= 70; ++i) history.add({.kind = InstanceEvent::Kind::reloaded, .generation = i});
  CHECK(history.last(1000).size() == 64);
  CHECK(history.last(1000).front().generation == 7);
  CHECK(generations(history.last(2)) == std::vector<std::uint64_t>{69, 70});
  CHECK(history.last(0).empty());
}

TEST_CASE("the history knows when the last one happened for which there was no room") {
  History history;
  for (std::uint64_t i = 1; i <= 64; ++i)
    history.add({.kind = InstanceEvent::Kind::reloaded, .monotonic = Instant(i * 1s), .generation = i});
  CHECK(history.forgotten() == Instant{});
  for (std::uint64_t i = 65; i <= 70; ++i)
    history.add({.kind = InstanceEvent::Kind::reloaded, .monotonic = Instant(i * 1s), .generation = i});
  CHECK(history.forgotten() == Instant(6s));
}

TEST_CASE("of last words that are too long the reason and the last of them stay") {
  History history;
  std::string why = "exited with status 1";
  for (int i = 0; i < 20; ++i) why += "\n" + std::to_string(i) + std::string(1000, 'x');
  const std::string kept = kept_of(history, why);
  CHECK(kept.size() <= History::longest_reason);
  CHECK(kept.starts_with("exited with status 1\nx"));
  CHECK(kept.ends_with(why.substr(why.size() - 1500)));
}

TEST_CASE("what is cut is cut between characters") {
  History history;
  std::string line;
  for (int i = 0; i < 2000; ++i) line += "ä";
  SUBCASE("in the reason") {
    const std::string kept = kept_of(history, line);
    CHECK(kept == line.substr(0, 2048));
    CHECK(kept_of(history, "x" + line) == "x" + line.substr(0, 2046));
  }
  SUBCASE("in the last words") {
    CHECK(kept_of(history, "ab\n" + line) == "ab\n" + line.substr(0, 2044));
    CHECK(kept_of(history, "a\n" + line) == "a\n" + line.substr(0, 2046));
  }
}
