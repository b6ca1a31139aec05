// What people see of many instances, to the letter, on wide and on narrow terminals.
#include "client/list_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "core/columns.h"

using namespace graced;

namespace {

InstanceReport serving(const std::string& name = "shop") {
  InstanceReport r;
  r.name = name;
  r.version = "0.1.0";
  r.pid = 4242;
  r.phase = "serving";
  r.age = 3h + 12min + 5s;
  r.command = "./" + name + " --port 80";
  r.serving = 1;
  r.workers_asked = 1;
  r.workers = {{1, 0, 4250, "ready", 3h, std::nullopt, "", {}}};
  r.addresses = {{"80", "tcp [::]:80"}};
  return r;
}

// The third deploy of the day drains the second one.
InstanceReport draining() {
  InstanceReport r = serving("mail");
  r.serving = 3;
  r.workers_asked = 2;
  r.reloads = 2;
  r.last_reload = ReloadReport{3, true, "", 40s, 2s};
  r.workers = {{2, 0, 4300, "draining", 1h, 20s, "", {}},
               {2, 1, 4301, "draining", 1h, 20s, "", {}},
               {3, 0, 4302, "ready", 42s, std::nullopt, "", {}},
               {3, 1, 4303, "ready", 42s, std::nullopt, "", {}}};
  r.addresses = {{"a", "tcp 127.0.0.1:25"}, {"b", "unix /run/mail.sock"}, {"c", "tcp 127.0.0.1:25"}};
  return r;
}

InstanceReport down() {
  InstanceReport r = serving("chat");
  r.phase = "down";
  r.workers.clear();
  r.failed_reloads = 1;
  r.restarts = 57;
  r.last_reload = ReloadReport{2, false, "generation 2 exited with status 1\npassword: secret", 2min, 1s};
  r.last_exit = ExitReport{1, 0, 4250, "exited with status 3 after 2s", 3, "", 600ms, 2s, {"panic"}};
  return r;
}

InstanceReport silent() {
  InstanceReport r;
  r.name = "hung";
  r.phase = "silent";
  return r;
}

std::size_t widest_line(const std::string& text) {
  std::istringstream lines{text};
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, columns_of(line));
  return widest;
}

}  // namespace

TEST_CASE("the list says of each what one needs of fifty, and nothing where there is none") {
  // clang-format off
  CHECK(list_text({serving(), draining(), down(), silent()}, false) ==
        "name  phase    generation  age       workers  draining  last               up         PID  addresses                          trouble                                                            command\n"
        "shop  serving           1  3h 12min        1            -                  3h 12min  4242  [::]:80                                                                                               ./shop --port 80\n"
        "mail  serving           3  40s             2         2  reloaded 40s ago   3h 12min  4242  127.0.0.1:25, unix /run/mail.sock                                                                     ./mail --port 80\n"
        "chat  down              1  -             0/1            exit 3, 600ms ago  3h 12min  4242  [::]:80                            worker 0 exited with status 3 after 2s, 57 replaced so far: panic  ./chat --port 80\n"
        "hung  silent            -  -               -            -                  -            -\n");
  // clang-format on
  CHECK(list_text({}, false) == "");
  CHECK(list_text({down()}, true).find("\x1b[31mdown\x1b[0m") != std::string::npos);
}

TEST_CASE("a column that has nothing to say is not there") {
  CHECK(list_text({serving()}, false) ==
        "name  phase    generation  age       workers  last  up         PID  addresses  command\n"
        "shop  serving           1  3h 12min        1  -     3h 12min  4242  [::]:80    ./shop --port "
        "80\n");
}

TEST_CASE("on a narrow terminal what is needed least is shortened or left out") {
  const std::vector all{serving(), draining(), down(), silent()};
  CHECK(list_text(all, false, 60) ==
        "name  phase    generation  workers  last\n"
        "shop  serving           1        1  -\n"
        "mail  serving           3        2  reloaded 40s ago\n"
        "chat  down              1      0/1  exit 3, 600ms ago\n"
        "hung  silent            -        -  -\n");
  for (std::size_t columns = 60; columns <= 220; ++columns)
    CHECK(widest_line(list_text(all, false, columns)) <= columns);
  CHECK(list_text(all, false, 220).find("./shop --port 80") != std::string::npos);
  CHECK(list_text(all, false, 100).find("worker 0 exited") != std::string::npos);
  CHECK(list_text({serving()}, false, 80).find("[::]:80") != std::string::npos);
}

TEST_CASE("what came last is told: a reload, a rollback, or how a worker ended") {
  InstanceReport r = serving();
  const auto told = [&] { return last_of(r).text + " | " + trouble_of(r); };
  CHECK(told() == "- | ");

  r.last_exit = ExitReport{1, 0, 4250, "exited with status 3 after 2s", 3, "", 5s, 2s, {"one", "panic: no db"}};
  r.restarts = 1;
  CHECK(told() == "exit 3, 5s ago | worker 0 exited with status 3 after 2s: panic: no db");
  CHECK(last_of(r).paint == Paint::red);
  r.restarts = 900;
  CHECK(told() == "exit 3, 5s ago | worker 0 exited with status 3 after 2s, 900 replaced so far: panic: no db");

  // It fell once and serves since: that is no trouble any more, and can be seen.
  r.last_exit->age = 3h;
  CHECK(told() == "exit 3, 3h ago | ");
  CHECK(last_of(r).paint == Paint::plain);
  r.last_reload = ReloadReport{2, false, "exited with status 1\nline\npanic: no config", 4h, 1s};
  CHECK(told() == "exit 3, 3h ago | reload failed: exited with status 1: panic: no config");
  r.last_reload->age = 2min;
  CHECK(told() == "reload failed 2min ago | exited with status 1: panic: no config");
  r.phase = "down";
  CHECK(
      told() ==
      "reload failed 2min ago | worker 0 exited with status 3 after 2s 3h ago, 900 replaced so far: panic: no "
      "db");

  r.phase = "serving";
  r.last_exit.reset();
  r.last_reload->why = "rolled back: its probe failed: 500 Internal Server Error";
  CHECK(told() == "rolled back 2min ago | its probe failed: 500 Internal Server Error");
  CHECK(last_of(r).paint == Paint::red);
  r.last_replacement = ReplacementReport{1, 3, true, "500 Internal Server Error", 1min};
  CHECK(last_of(r).text == "replaced 1min ago");
  r.last_replacement->ok = false;
  CHECK(last_of(r).text == "replacement failed 1min ago");
}

TEST_CASE("how a worker ended is told in few words") {
  InstanceReport r = serving();
  const auto told = [&](ExitReport e) {
    e.age = 5s;
    r.last_exit = std::move(e);
    return last_of(r).text;
  };
  CHECK(told({1, 0, 9, "killed by SIGSEGV (core dumped) after 2s", {}, "SIGSEGV"}) ==
        "killed by SIGSEGV, 5s ago");
  CHECK(told({1, 0, 9, "was not ready within 5s, then killed by SIGTERM", {}, "SIGTERM"}) ==
        "not ready in time, 5s ago");
  CHECK(told({1, 0, 9, "said STOPPING=1", {}, ""}) == "left by itself, 5s ago");
  CHECK(told({1, 0, 0, "could not be started: exec ./shop: No such file or directory", 127, ""}) ==
        "not started, 5s ago");
}

TEST_CASE("where it is narrow, what came last is shortened and stays") {
  InstanceReport r = serving("a-name-of-some-length");
  r.last_exit = ExitReport{1, 0, 9, "killed by SIGSEGV after 2s", {}, "SIGSEGV", 5s, 2s, {}};
  CHECK(list_text({r}, false, 72) ==
        "name                   phase    generation  workers  last\n"
        "a-name-of-some-length  serving           1        1  killed by SIGSEGV,…\n");
}

TEST_CASE("names are not shortened, however narrow it is") {
  InstanceReport r = serving(std::string(70, 'n'));
  CHECK(list_text({r}, false, 40).find(std::string(70, 'n')) != std::string::npos);
}

TEST_CASE("the age of a generation is since its reload, or since the start without one") {
  InstanceReport r = draining();
  const auto age = [&] {
    std::istringstream words{list_text({r}, false).substr(list_text({r}, false).find('\n') + 1)};
    std::string word;
    for (int i = 0; i < 4; ++i) words >> word;
    return word;
  };
  CHECK(age() == "40s");
  r.last_reload = ReloadReport{4, false, "no", 5s, 1s};
  CHECK(age() == "42s");
  r.reloads = 0;
  CHECK(age() == "3h");
}

TEST_CASE("a generation does not look as if it had served all the time where nobody is left who did") {
  InstanceReport r = draining();
  REQUIRE(age_of_serving(r) == 40s);
  r.last_exit = ExitReport{3, 0, 4250, "exited with status 3 after 2s", 3, "", 5s, 2s, {}};
  CHECK(age_of_serving(r) == 40s);  // the other worker has served
  for (WorkerReport& w : r.workers) w.age = w.generation == 3 ? 4s : w.age;
  CHECK(age_of_serving(r) == 4s);
}

TEST_CASE("columns of the list stand below each other whatever the names are written in") {
  const std::string text = list_text({serving("shop"), serving("店舗"), serving("cafe\u0301")}, false);
  CHECK(text.find("\nshop  serving  ") != std::string::npos);
  CHECK(text.find("\n店舗  serving  ") != std::string::npos);
  CHECK(text.find("\ncafe\u0301  serving  ") != std::string::npos);
}

TEST_CASE("no name, command or reason takes the terminal over, or makes a line of its own") {
  InstanceReport r = serving("\x1b]0;owned\x07\n");
  r.command = "a\tb\nc";
  r.last_reload = ReloadReport{2, false, "line\x1b[2J\nmore\x07", 2min, 1s};
  const std::string text = list_text({r}, false);
  CHECK(std::ranges::count(text, '\n') == 2);
  CHECK(text.find("\\x1b]0;owned\\x07\\n  ") != std::string::npos);
  CHECK(text.find("line\\x1b[2J") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("line\\x1b[2J: more\\x07") != std::string::npos);
}
