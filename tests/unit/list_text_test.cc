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
        "name  phase    generation  age       workers  draining  last reload      up         PID  addresses                          trouble                                            command\n"
        "shop  serving           1  3h 12min        1            -                3h 12min  4242  [::]:80                                                                               ./shop --port 80\n"
        "mail  serving           3  40s             2         2  ok 40s ago       3h 12min  4242  127.0.0.1:25, unix /run/mail.sock                                                     ./mail --port 80\n"
        "chat  down              1  3h 12min      0/1            failed 2min ago  3h 12min  4242  [::]:80                            worker 0 exited with status 3 after 2s, 600ms ago  ./chat --port 80\n"
        "hung  silent            -  -               -            -                -            -\n");
  // clang-format on
  CHECK(list_text({}, false) == "");
  CHECK(list_text({down()}, true).find("\x1b[31mdown\x1b[0m") != std::string::npos);
}

TEST_CASE("a column that has nothing to say is not there") {
  CHECK(list_text({serving()}, false) ==
        "name  phase    generation  age       workers  last reload  up         PID  addresses  command\n"
        "shop  serving           1  3h 12min        1  -            3h 12min  4242  [::]:80    ./shop --port "
        "80\n");
}

TEST_CASE("on a narrow terminal what is needed least is shortened or left out") {
  const std::vector all{serving(), draining(), down(), silent()};
  CHECK(list_text(all, false, 60) ==
        "name  phase    generation  workers  last reload\n"
        "shop  serving           1        1  -\n"
        "mail  serving           3        2  ok 40s ago\n"
        "chat  down              1      0/1  failed 2min ago\n"
        "hung  silent            -        -  -\n");
  for (std::size_t columns = 60; columns <= 220; ++columns)
    CHECK(widest_line(list_text(all, false, columns)) <= columns);
  CHECK(list_text(all, false, 200).find("./shop --port 80") != std::string::npos);
  CHECK(list_text(all, false, 100).find("worker 0 exited") != std::string::npos);
  CHECK(list_text({serving()}, false, 80).find("[::]:80") != std::string::npos);
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

TEST_CASE("columns of the list stand below each other whatever the names are written in") {
  const std::string text = list_text({serving("shop"), serving("店舗"), serving("cafe\u0301")}, false);
  CHECK(text.find("\nshop  serving  ") != std::string::npos);
  CHECK(text.find("\n店舗  serving  ") != std::string::npos);
  CHECK(text.find("\ncafe\u0301  serving  ") != std::string::npos);
}

TEST_CASE("no name, command or reason takes the terminal over, or makes a line of its own") {
  InstanceReport r = serving("\x1b]0;owned\x07\n");
  r.command = "a\tb\nc";
  r.last_reload = ReloadReport{2, false, "line\x1b[2J\nmore", 2min, 1s};
  const std::string text = list_text({r}, false);
  CHECK(std::ranges::count(text, '\n') == 2);
  CHECK(text.find("\\x1b]0;owned\\x07\\n  ") != std::string::npos);
  CHECK(text.find("line\\x1b[2J") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("more") == std::string::npos);
}
