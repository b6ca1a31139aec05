// What graced-top shows and what its keys do, without a terminal.
#include "top/top.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "top/amounts.h"
#include "top/cpu_meter.h"
#include "top/instance_page.h"
#include "top/overview.h"

using namespace graced;
using Answer = ObservedInstance::Answer;

namespace {

Sight sight(const std::string& name, const std::string& phase = "serving") {
  ObservedInstance seen{.name = name, .control = "/run/" + name, .answer = Answer::told, .process = 1};
  seen.report.name = name;
  seen.report.phase = phase;
  seen.report.serving = 3;
  seen.report.workers_asked = 2;
  seen.report.age = 3h;
  seen.report.command = "./app --serve";
  for (const std::uint32_t slot : {0U, 1U}) {
    WorkerReport& w = seen.report.workers.emplace_back();
    w.generation = 3;
    w.slot = slot;
    w.pid = 10;
    w.state = "ready";
  }
  seen.addresses = {{"tcp [::]:80", 2, 128, 0, 7}};
  GenerationLoad& load = seen.generations.emplace_back();
  load.generation = 3;
  load.connections = 7;
  load.memory = 12 * 1024 * 1024;
  load.cpu = 5s;
  return {{name, "/run/" + name, true}, seen, 0.034, {{3, 0.034}}, 0.001};
}

Sights several(const std::vector<Sight>& all) {
  Sights sights;
  sights.instances = all;
  sights.number = 1;
  return sights;
}

std::string names(const Sights& sights, TopSort by) {
  std::string text;
  for (const Sight* s : sorted(sights, by)) text += s->name() + " ";
  return text;
}

std::string shown(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) text += text_of(line) + "\n";
  return text;
}

// As one who reads across the ends of lines.
std::string flat(const std::vector<Line>& lines) {
  std::string text;
  for (const char c : shown(lines)) {
    const char next = c == '\n' ? ' ' : c;
    if (next != ' ' || !text.ends_with(' ')) text += next;
  }
  return text;
}

Key key(char c) {
  return {Key::Kind::character, c};
}

constexpr std::size_t rows = 24;

// A Top that is shown after each key.
struct Shown {
  explicit Shown(Sights all) : sights(std::move(all)), top(TopSort::name, "") { look(); }

  Top::After press(Key k) {
    const Top::After after = top.press(k, sights, rows);
    look();
    return after;
  }
  void look() { lines = top.lines(sights, 100, rows); }
  std::string chosen() const {
    const auto at = std::ranges::find(lines, true, &Line::chosen);
    return at == lines.end() ? "" : text_of(*at).substr(0, text_of(*at).find(' '));
  }
  std::string foot() const { return text_of(lines.back()); }

  Sights sights;
  Top top;
  std::vector<Line> lines;
};

}  // namespace

TEST_CASE("amounts take few columns, and what is not known is no zero") {
  CHECK(bytes_text(std::nullopt) == "-");
  CHECK(bytes_text(0) == "0");
  CHECK(bytes_text(1536) == "1.5K");
  CHECK(bytes_text(23 * 1024 * 1024) == "23M");
  CHECK(bytes_text(1023ULL * 1024 * 1024) == "1.0G");
  CHECK(bytes_text(~0ULL) == "16E");
  CHECK(share_text(std::nullopt) == "-");
  CHECK(share_text(0) == "0%");
  CHECK(share_text(0.034) == "3.4%");
  CHECK(share_text(1.2) == "120%");
  CHECK(count_text(std::nullopt) == "-");
  CHECK(queue_text(2, 128) == "2/128");
  CHECK(queue_text(std::nullopt, 128) == "-");
}

TEST_CASE("the share of a processor is what was used between two looks") {
  CpuMeter meter;
  const Instant start{};
  CHECK(!meter.look("a", 1s, start));
  CHECK(meter.look("a", 1500ms, start + 1s) == 0.5);
  CHECK(meter.look("a", 1510ms, start + 1010ms) == 0.5);  // too soon for another one
  CHECK(meter.look("a", 1500ms + 2s, start + 2s) == 2.0);
  CHECK(!meter.look("a", 1s, start + 3s));  // another one of that name
  meter.forget_others();
  meter.forget_others();
  CHECK(!meter.look("a", 2s, start + 4s));
}

TEST_CASE("instances are sorted by what is asked for, and what is not known comes last") {
  Sight a = sight("a", "serving");
  Sight b = sight("b", "degraded");
  Sight c = sight("c", "down");
  Sight d{{"d", "/run/d", true}};
  b.cpu = 0.5;
  c.cpu = std::nullopt;
  b.seen->addresses[0].connected = 70;
  c.seen->addresses[0].waiting = 99;
  a.seen->generations[0].memory = 1'000'000'000;
  c.seen->report.failed_reloads = 3;
  const Sights all = several({a, b, c, d});
  CHECK(names(all, TopSort::name) == "a b c d ");
  CHECK(names(all, TopSort::phase) == "c b a d ");
  CHECK(names(all, TopSort::cpu) == "b a c d ");
  CHECK(names(all, TopSort::connections) == "b a c d ");
  CHECK(names(all, TopSort::queue) == "c a b d ");
  CHECK(names(all, TopSort::memory) == "a b c d ");
  CHECK(names(all, TopSort::reloads) == "c a b d ");
}

TEST_CASE("the overview fits any width, and the names and phases stay") {
  Sight failed = sight("shop");
  failed.seen->report.last_reload =
      ReloadReport{4, false, "exited with status 1\nsome line\npanic: no db", 2min, 1s};
  failed.seen->report.failed_reloads = 1;
  const Sights all =
      several({failed, sight("an-instance-with-a-long-name"), Sight{{"unseen", "/run/unseen", true}}});
  for (const std::size_t width : {60U, 80U, 120U, 200U}) {
    const auto lines = overview(sorted(all, TopSort::name), TopSort::name, width);
    REQUIRE(lines.size() == 4);
    for (const Line& line : lines) CHECK_MESSAGE(columns_of(line) <= width, text_of(line));
    CHECK(text_of(lines[1]).starts_with("shop "));
    CHECK(text_of(lines[1]).find("serving") != std::string::npos);
    CHECK(text_of(lines[1]).find("2/128") != std::string::npos);
    CHECK(text_of(lines[3]).starts_with("unseen"));
  }
  const std::string wide = shown(overview(sorted(all, TopSort::name), TopSort::name, 200));
  for (const char* word : {"name*", "3.4%", "12M", "0+1", "reload failed 2min ago",
                           "exited with status 1: panic: no db", "./app --serve"})
    CHECK_MESSAGE(wide.find(word) != std::string::npos, word, "\n", wide);
  CHECK(wide.find("some line") == std::string::npos);
}

TEST_CASE("one that does not answer is silent, and says why where there is room") {
  Sight hung = sight("hung");
  hung.seen->answer = Answer::silent;
  hung.seen->why = "no answer\x1b[2J in time";
  const Sights all = several({hung});
  const std::string text = shown(overview(sorted(all, TopSort::name), TopSort::name, 120));
  CHECK(text.find("silent") != std::string::npos);
  CHECK(text.find("no answer\\x1b[2J in time") != std::string::npos);
  CHECK(summary(all, TopSort::name) == "1 instance, 1 without an answer, by name");
}

TEST_CASE("an opened instance shows all that is known of it, and nothing a terminal would obey") {
  Sight s = sight("shop", "degraded");
  WorkerReport& w = s.seen->report.workers.emplace_back();
  w.generation = 2;
  w.pid = 12;
  w.state = "draining";
  w.waits_for = "2 connections (1 idle)";
  w.status = "evil \x1b[2J status";
  GenerationLoad leaving;
  leaving.generation = 2;
  s.seen->generations.insert(s.seen->generations.begin(), leaving);
  s.seen->report.last_exit =
      ExitReport{3, 1, 99, "killed by SIGSEGV after 2s", {}, "SIGSEGV", 3s, 2s, {"panic\x07: x"}};
  InstanceEvent old;
  old.kind = InstanceEvent::Kind::serving;
  old.generation = 1;
  InstanceEvent young;
  young.kind = InstanceEvent::Kind::reloaded;
  young.generation = 3;
  for (const std::size_t width : {40U, 60U, 200U}) {
    const auto lines = instance_page(s, {old, young}, width);
    for (const Line& line : lines) CHECK_MESSAGE(columns_of(line) <= width, text_of(line));
    const std::string text = flat(lines);
    for (const char* word : {"degraded", "2 connections (1 idle)", "draining", "SIGSEGV", "panic",
                             "tcp [::]:80", "2/128", "graced itself", "history"})
      CHECK_MESSAGE(text.find(word) != std::string::npos, word, "\n", text);
    CHECK(text.find_first_of("\x1b\x07") == std::string::npos);
    CHECK(text.find("generation 3 serves") < text.find("generation 1 serves"));
  }
}

TEST_CASE("keys choose an instance, open it and go back") {
  Shown s(several({sight("a"), sight("b"), sight("c")}));
  CHECK(s.chosen() == "a");
  s.press({Key::Kind::down});
  CHECK(s.chosen() == "b");
  s.press(key('j'));
  s.press(key('j'));
  CHECK(s.chosen() == "c");
  s.press({Key::Kind::home});
  CHECK(s.chosen() == "a");
  s.press({Key::Kind::end});
  s.press(key('k'));
  CHECK(s.chosen() == "b");
  s.press({Key::Kind::enter});
  CHECK(s.chosen().empty());
  CHECK(text_of(s.lines[0]) == "graced top  b");
  CHECK(s.top.wish(rows) == Wish{.which = Wish::Which::one, .control = "/run/b"});
  s.press({Key::Kind::back});
  CHECK(s.chosen() == "b");
  s.press(key('?'));
  CHECK(shown(s.lines).find("Keys") != std::string::npos);
  s.press({Key::Kind::back});
  CHECK(s.chosen() == "b");
  CHECK(s.press(key('q')) == Top::After::quits);
  CHECK(s.press({Key::Kind::gone}) == Top::After::quits);
}

TEST_CASE("the chosen one stays chosen when others come, go and are sorted in another way") {
  Shown s(several({sight("b"), sight("d")}));
  s.press({Key::Kind::down});
  s.sights = several({sight("a"), sight("b"), sight("c"), sight("d", "down")});
  s.look();
  CHECK(s.chosen() == "d");
  s.press(key('s'));  // by phase
  CHECK(s.chosen() == "d");
  CHECK(text_of(s.lines[2]).starts_with("d "));
  CHECK(s.top.wish(rows) == Wish{.which = Wish::Which::all});
  s.press(key('S'));
  s.sights = several({sight("a")});
  s.look();
  CHECK(s.chosen() == "a");
}

TEST_CASE("only instances on the screen are asked while they are sorted by name") {
  std::vector<Sight> all;
  for (int i = 0; i < 50; ++i) all.push_back(sight(fmt::format("app{:02}", i)));
  Shown s(several(all));
  CHECK(s.top.wish(rows) == Wish{.first = 0, .count = 21});
  CHECK(s.lines.size() == rows);
  for (int i = 0; i < 30; ++i) s.press({Key::Kind::down});
  CHECK(s.chosen() == "app30");
  CHECK(s.top.wish(rows) == Wish{.first = 10, .count = 21});
  s.press({Key::Kind::page_down});
  CHECK(s.chosen() == "app49");
  CHECK(s.top.wish(rows) == Wish{.first = 29, .count = 21});
}

TEST_CASE("a reload is asked for after a question, which anything but y answers with no") {
  Shown s(several({sight("shop")}));
  s.press(key('r'));
  CHECK(s.foot() == "reload shop?  y n");
  s.press(key('q'));  // is no end now
  CHECK(s.foot().starts_with("Enter open"));
  s.press(key('b'));
  CHECK(s.foot() == "roll back shop?  y n");
  s.press({Key::Kind::back});
  CHECK(s.foot().starts_with("Enter open"));
  s.press(key('r'));
  s.press(key('y'));
  while (!s.top.hear()) {}
  s.look();
  CHECK(s.foot().starts_with("shop: reload failed: "));  // nobody is there
}

TEST_CASE("no size of a terminal is too small for a picture") {
  Shown s(several({sight("a"), sight("b"), sight("c")}));
  for (std::size_t height = 1; height < 6; ++height)
    for (std::size_t width = 1; width < 30; ++width) {
      s.top.lines(s.sights, width, height);
      s.top.wish(height);
    }
  Shown none(several({}));
  CHECK(shown(none.lines).find("no graced is running") != std::string::npos);
  none.press({Key::Kind::down});
  none.press({Key::Kind::enter});
  none.press(key('r'));
  CHECK(none.foot().starts_with("Enter open"));
}
