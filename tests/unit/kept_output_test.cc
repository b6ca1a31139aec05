// What is kept of the output of generations.
#include "core/kept_output.h"

#include <doctest/doctest.h>

using namespace graced;

namespace {

std::vector<std::string> texts(const std::vector<KeptLine>& lines) {
  std::vector<std::string> all;
  for (const KeptLine& l : lines) all.push_back(l.said.text);
  return all;
}

using Texts = std::vector<std::string>;

void say(KeptOutput& kept, std::uint64_t generation, const std::string& text) {
  kept.add({}, {.generation = generation, .worker = 0, .pid = 5}, {text});
}

constexpr std::size_t all = 1 << 30;

}  // namespace

TEST_CASE("lines of several generations come in the order in which they were said") {
  KeptOutput kept;
  kept.begin(1);
  kept.begin(2);
  say(kept, 1, "a");
  say(kept, 2, "b");
  say(kept, 1, "c");
  CHECK(texts(kept.since(0, all)) == Texts{"a", "b", "c"});
  CHECK(texts(kept.since(3, all)) == Texts{"c"});
  CHECK(kept.since(kept.next(), all).empty());
}

TEST_CASE("what nobody asked to keep is not kept") {
  KeptOutput kept;
  say(kept, 1, "a");
  kept.begin(2);
  kept.add({}, {.pid = 5}, {"a hook's"});
  CHECK(kept.since(0, all).empty());
  CHECK(kept.next() == 1);
}

TEST_CASE("of a generation that says much the last 256 KiB are kept, and of others what they have said") {
  KeptOutput kept;
  kept.begin(1);
  kept.begin(2);
  say(kept, 1, "quiet");
  const std::string line(1000 - KeptOutput::line_costs, 'x');
  for (int i = 0; i < 1000; ++i) say(kept, 2, line);
  const auto lines = kept.since(0, all);
  CHECK(lines.front().said.text == "quiet");
  CHECK(lines.size() == 1 + KeptOutput::most / 1000);
  CHECK(lines.back().number == 1001);
}

TEST_CASE("a flood of empty lines is bounded as well") {
  KeptOutput kept;
  kept.begin(1);
  for (int i = 0; i < 100'000; ++i) say(kept, 1, "");
  CHECK(kept.since(0, all).size() == KeptOutput::most / KeptOutput::line_costs);
}

TEST_CASE("one answer has as much as was asked for, and one line at least") {
  KeptOutput kept;
  kept.begin(1);
  for (const char* text : {"a", "b", "c"}) say(kept, 1, text);
  CHECK(texts(kept.since(0, 0)) == Texts{"a"});
  CHECK(texts(kept.since(2, 2 * (KeptOutput::line_costs + 1))) == Texts{"b", "c"});
  CHECK(texts(kept.since(1, 2 * (KeptOutput::line_costs + 1))) == Texts{"a", "b"});
}

TEST_CASE("a generation that lives no more is forgotten, unless it is the last that failed") {
  KeptOutput kept;
  for (std::uint64_t g = 1; g <= 4; ++g) {
    kept.begin(g);
    say(kept, g, std::to_string(g));
  }
  kept.failed(2);
  kept.failed(3);
  kept.forget_unless([](std::uint64_t g) { return g == 4; });
  CHECK(texts(kept.since(0, all)) == Texts{"3", "4"});
  say(kept, 1, "what is left of it says");
  CHECK(texts(kept.since(0, all)) == Texts{"3", "4"});
}
