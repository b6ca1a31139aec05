// What people see of an instance, to the letter.
#include "client/report_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/columns.h"

using namespace graced;

namespace {

InstanceReport serving() {
  InstanceReport r;
  r.name = "shop";
  r.version = "0.1.0";
  r.pid = 4242;
  r.phase = "serving";
  r.age = 3h + 12min + 5s;
  r.command = "./shop --port 80";
  r.serving = 1;
  r.workers = {{1, 0, 4250, "ready", 3h + 12min, std::nullopt, "", {"chatter"}}};
  r.addresses = {{"80", "tcp [::]:80"}};
  return r;
}

}  // namespace

TEST_CASE("a quiet instance takes few lines") {
  CHECK(report_text(serving(), false) ==
        "shop  serving generation 1\n"
        "  graced       PID 4242, up 3h 12min, version 0.1.0\n"
        "  command      ./shop --port 80\n"
        "  listening    80  tcp [::]:80\n"
        "  reloads      0 done, 0 failed; 0 workers replaced\n"
        "\n"
        "  generation  worker   PID  state  age\n"
        "           1       0  4250  ready  3h 12min\n");
}

TEST_CASE("an upgrade of graced itself is told, and what one waits for, and why one failed") {
  InstanceReport r = serving();
  r.version = "0.3.0";
  r.upgraded_from = "0.2.0";
  r.upgraded = 3s;
  r.upgrade_waits_for = "worker 0 of generation 2 to be ready";
  r.last_upgrade = UpgradeReport{"t", true, "", "0.2.0", "0.3.0", 3s};
  CHECK(report_text(r, false).starts_with(
      "shop  serving generation 1\n"
      "  graced       PID 4242, up 3h 12min, version 0.3.0, upgraded from 0.2.0 3s ago\n"
      "  upgrade      waits for worker 0 of generation 2 to be ready\n"
      "  command      ./shop --port 80\n"));
  r.last_upgrade = UpgradeReport{"t", false, "/new: it was killed by SIGSEGV", "0.3.0", "", 2min};
  CHECK(report_text(r, false).find("\n  upgrade      failed 2min ago: /new: it was killed by SIGSEGV\n") !=
        std::string::npos);
  r.last_upgrade->to = "0.4.0\n";
  CHECK(report_text(r, false).find("\n  upgrade      to 0.4.0\\n failed 2min ago: ") != std::string::npos);
}

TEST_CASE("what a replacement would run is told, and where it is not what it was") {
  InstanceReport r = serving();
  r.executable = "/srv/shop/7/shop";
  CHECK(report_text(r, false).find("  command      ./shop --port 80\n"
                                   "  executable   /srv/shop/7/shop\n"
                                   "  listening ") != std::string::npos);
  r.executable_replaced = true;
  r.changed = {"shop.conf", "lib/a.js"};
  CHECK(report_text(r, false).find(
            "  executable   /srv/shop/7/shop  (held open: this does not lead to it any more)\n"
            "  changed      a replacement would run files changed since: shop.conf, lib/a.js\n") !=
        std::string::npos);
}

TEST_CASE("UDP flows and datagrams of the generations are shown where they are counted") {
  InstanceReport r = serving();
  r.addresses = {{"adopted", "udp [::]:443", "switched"},
                 {"adopted", "udp [::]:53", "multicast"},
                 {"adopted", "udp [::]:8443", "own-program"}};
  r.datagrams = {{1, 1, 1}, {2, 40, 5127}};
  const std::string text = report_text(r, false);
  CHECK(text.find("udp [::]:443  (switched)\n") != std::string::npos);
  CHECK(text.find("udp [::]:53  (multicast: every generation hears it)\n") != std::string::npos);
  CHECK(text.find("udp [::]:8443  (left to the server's own program)\n") != std::string::npos);
  CHECK(text.find("  udp          generation 1: 1 flow, 1 datagram\n"
                  "               generation 2: 40 flows, 5127 datagrams\n") != std::string::npos);
}

TEST_CASE("what the generations use is shown where it is known") {
  InstanceReport r = serving();
  r.generations = {{1, std::nullopt, 1500ms}, {2, 52U << 20, 12min}, {3, 900, 0s}};
  const std::string text = report_text(r, false);
  CHECK(text.find("  uses         generation 1: 1.5s of CPU\n"
                  "               generation 2: 52.0M of memory, 12min of CPU\n"
                  "               generation 3: 900B of memory, ") != text.npos);
}

TEST_CASE("what a draining worker waits for is told") {
  InstanceReport r = serving();
  r.serving = 2;
  r.workers = {{1, 0, 4250, "draining", 1min, 55s, "", {}, "2 connections, 1 queued", 2, 1, 250ms, "SIGTERM"},
               {2, 0, 4251, "ready", 5s, std::nullopt, "", {}}};
  r.addresses = {{"adopted", "tcp [::]:80", "switched"}, {"adopted", "udp [::]:80", "none"}};
  CHECK(report_text(r, false) ==
        "shop  serving generation 2\n"
        "  graced       PID 4242, up 3h 12min, version 0.1.0\n"
        "  command      ./shop --port 80\n"
        "  listening    adopted  tcp [::]:80  (switched)\n"
        "               adopted  udp [::]:80  (not handed off)\n"
        "  reloads      0 done, 0 failed; 0 workers replaced\n"
        "\n"
        "  generation  worker   PID  state     age   next            waits for\n"
        "           1       0  4250  draining  1min  SIGTERM in 55s  2 connections, 1 queued, quiet for 250ms\n"
        "           2       0  4251  ready     5s\n");
}

TEST_CASE("a night with everything in it can be read at a glance") {
  InstanceReport r = serving();
  r.phase = "reloading";
  r.config = "/etc/graced/shop.conf";
  r.serving = 6;
  r.candidate = 8;
  r.reload_queued = true;
  r.addresses.push_back({"größe", "unix /run/shop.sock"});
  r.workers = {
      {5, 0, 900, "killed", 2h, 0s, "", {"refusing to die"}},
      {6, 0, 4250, "ready", 90min, std::nullopt, "12 requests", {"chatter"}},
      {6, 1, 0, "starting", 0s, std::nullopt, "", {"panic: no memory", "exit 3"}},
      {7, 0, 4300, "draining", 40s, infinity, "2 left", {}},
      {8, 0, 4301, "starting", 1500ms, 28s + 500ms, "loading\tdata", {"hello"}, "", {}, {}, {}, "given up"}};
  r.reloads = 5;
  r.failed_reloads = 1;
  r.restarts = 1;
  r.last_reload =
      ReloadReport{4, false, "worker 0 exited with status 1\npanic: bad \x1b[31mconfig\nbye\n", 2min, 1500ms};
  r.last_exit =
      ExitReport{6, 1, 4251, "exited with status 3 after 2s", 3, "", 600ms, 2s, {"panic: no \x1b[31mmemory"}};
  r.next_restart = 400ms;
  CHECK(report_text(r, false) ==
        "shop  reloading generation 8, generation 6 serves, another reload is next\n"
        "  graced       PID 4242, up 3h 12min, version 0.1.0\n"
        "  command      ./shop --port 80\n"
        "  config       /etc/graced/shop.conf\n"
        "  listening    80     tcp [::]:80\n"
        "               größe  unix /run/shop.sock\n"
        "  reloads      5 done, 1 failed; 1 worker replaced\n"
        "  last reload  generation 4 failed 2min ago, after 1.5s: worker 0 exited with status 1\n"
        "               | panic: bad \\x1b[31mconfig\n"
        "               | bye\n"
        "  last exit    worker 1 of generation 6 exited with status 3 after 2s, 600ms ago\n"
        "               | panic: no \\x1b[31mmemory\n"
        "  next restart in 400ms\n"
        "\n"
        "  generation  worker   PID  state     age       next             status\n"
        "           5       0   900  killed    2h        0s\n"
        "           6       0  4250  ready     1h 30min                   12 requests\n"
        "           6       1     -  starting  0s\n"
        "           7       0  4300  draining  40s       no limit         2 left\n"
        "           8       0  4301  starting  1.5s      given up in 28s  loading data\n"
        "\n"
        "  last words of worker 0 of generation 5:\n"
        "    | refusing to die\n"
        "\n"
        "  last words of worker 1 of generation 6:\n"
        "    | panic: no memory\n"
        "    | exit 3\n");
}

TEST_CASE("an instance whose worker crashes again and again does not look as if it served") {
  InstanceReport r = serving();
  r.phase = "down";
  r.workers_asked = 1;
  r.workers.clear();
  r.last_reload = ReloadReport{1, true, "", 5s, 85ms};
  r.last_exit = ExitReport{1, 0, 4250, "killed by SIGSEGV after 2s", std::nullopt, "SIGSEGV", 300ms, 2s, {}};
  r.next_restart = 500ms;
  const std::string text = report_text(r, false);
  CHECK(text.starts_with("shop  down: no worker of generation 1 serves\n"));
  CHECK(
      text.ends_with("  last reload  generation 1 ready 5s ago, after 85ms\n"
                     "  last exit    worker 0 of generation 1 killed by SIGSEGV after 2s, 300ms ago\n"
                     "  next restart in 500ms\n"));
  CHECK(report_text(r, true).find("\x1b[31mdown: ") != std::string::npos);

  r.candidate = 2;
  r.reload_queued = true;
  CHECK(report_text(r, false).starts_with(
      "shop  down: no worker of generation 1 serves, generation 2 is starting, another reload is "
      "next\n"));
}

TEST_CASE("an instance that lacks a worker says how many serve, and of how many") {
  InstanceReport r = serving();
  r.phase = "degraded";
  r.workers_asked = 3;
  r.workers.push_back({1, 1, 4251, "starting", 1s, 29s, "", {}});
  r.workers.push_back({1, 2, 4252, "ready", 1s, std::nullopt, "", {}});
  CHECK(report_text(r, false).starts_with("shop  degraded: generation 1 serves with 2 of 3 workers\n"));
  CHECK(report_text(r, false).find("missing") == std::string::npos);
  r.workers_missing = 1;
  CHECK(report_text(r, false).find(
            "\n  missing      1 worker of generation 1, to be started again when others have left\n") !=
        std::string::npos);
}

TEST_CASE("columns stand below each other whatever the names are written in") {
  CHECK(columns_of("größe") == 5);
  CHECK(columns_of("店舗") == 4);
  CHECK(columns_of("cafe\u0301") == 4);  // e and an accent of its own
  CHECK(columns_of("한글 ok") == 7);
  CHECK(columns_of("a\u200bb🚀") == 4);     // nothing, and an emoji
  CHECK(columns_of("\xff\xe5\xba") == 3);  // no UTF-8
  CHECK(columns_of("") == 0);
}

TEST_CASE("a canary is shown with its share, its step, and who got how many connections") {
  InstanceReport r = serving();
  CHECK(report_text(r, false).find("canary") == std::string::npos);
  r.phase = "reloading";
  r.serving = 7;
  r.candidate = 8;
  r.canary = CanaryReport{50, 1, 3, 12s, 41, 803};
  CHECK(report_text(r, false).find(
            "  canary       generation 8 gets 5% of new connections: 41 so far, generation 7 "
            "803; step 1 of 3 for 12s more\n") != std::string::npos);
  r.canary = CanaryReport{5, 3, 3};
  CHECK(report_text(r, false).find(
            "  canary       generation 8 gets 0.5% of new connections (only eBPF counts them); "
            "step 3 of 3 is over, the gate is run\n") != std::string::npos);
}

TEST_CASE("a check that runs is shown, with its time and its command") {
  InstanceReport r = serving();
  CHECK(report_text(r, false).find("checks") == std::string::npos);
  r.phase = "reloading";
  r.candidate = 8;
  r.probes = {{"GET http://a/", false, 0, 2, "500 Internal Server Error"}, {"tcp://a:1", true, 1, 0, ""}};
  CHECK(report_text(r, false).find(
            "  probes       GET http://a/: 500 Internal Server Error, failed 2 looks in a row\n") !=
        std::string::npos);
  CHECK(report_text(r, false).find("tcp://a:1: passed\n") != std::string::npos);
  r.check = CheckReport{"/srv/shop/bin/shop --check-config", 3200ms};
  CHECK(report_text(r, false).find("  checks       for 3.2s: /srv/shop/bin/shop --check-config\n") !=
        std::string::npos);
}

TEST_CASE("a reload in batches says how far it is, and what the next one waits for") {
  InstanceReport r = serving();
  CHECK(report_text(r, false).find("batches") == std::string::npos);
  r.phase = "reloading";
  r.candidate = 8;
  r.batches = BatchesReport{8, 3, 4, false, 2};
  CHECK(report_text(r, false).find("  batches      3 of 8 batches of generation 8 serve, 4 workers each; "
                                   "the next one waits until 2 workers have left\n") != std::string::npos);
  r.batches->under_way = true;
  CHECK(report_text(r, false).find("4 workers each; the next one is starting\n") != std::string::npos);
}

TEST_CASE("what looks at who serves is told, and what became of one that failed") {
  InstanceReport r = serving();
  r.watched = {{"GET http://a/", false, 7, 0, ""},
               {"tcp://a:1", false, 0, 1, "connection refused"},
               {"tcp://a:2", false, 0, 0, ""}};
  CHECK(report_text(r, false).find("  watched by   GET http://a/: passes\n"
                                   "  watched by   tcp://a:1: connection refused, failed 1 look in a row\n"
                                   "  watched by   tcp://a:2: has not looked yet\n") != std::string::npos);
  r.replaces = r.serving;
  r.candidate = r.serving + 1;
  CHECK(report_text(r, false).find(
            fmt::format("serving generation {}, generation {} is to replace it, since its probe fails\n",
                        r.serving, r.candidate)) != std::string::npos);
  r.last_replacement = ReplacementReport{1, 2, true, "tcp://a:1: connection refused, 3 of 3 failed", 5s};
  CHECK(
      report_text(r, false).find("  replaced     generation 1 by 2 5s ago, since its probe failed: tcp://a:1: "
                                 "connection refused, 3 of 3 failed\n") != std::string::npos);
  r.last_replacement = ReplacementReport{1, 2, false, "exited with status 1\nno room", 5s};
  CHECK(report_text(r, false).find(
            "  replaced     generation 2, which was to replace 1, failed 5s ago: exited with "
            "status 1\n               | no room\n") != std::string::npos);
}

TEST_CASE("a reload that went well says when and how long it took") {
  InstanceReport r = serving();
  r.reloads = 1;
  r.last_reload = ReloadReport{2, true, "", 5s, 85ms};
  CHECK(report_text(r, false).find("  last reload  generation 2 ready 5s ago, after 85ms\n") !=
        std::string::npos);
}

TEST_CASE("colour changes nothing but the colour") {
  const std::string plain = report_text(serving(), false);
  std::string coloured = report_text(serving(), true);
  CHECK(plain.find('\x1b') == std::string::npos);
  CHECK(coloured.find("\x1b[32mready\x1b[0m") != std::string::npos);
  for (std::size_t at = 0; (at = coloured.find('\x1b')) != std::string::npos;)
    coloured.erase(at, coloured.find('m', at) - at + 1);
  CHECK(coloured == plain);
}

TEST_CASE("text of others cannot take the terminal over, nor the table apart") {
  InstanceReport r = serving();
  r.name = "\x1b]0;owned\x07";
  r.workers.at(0).status =
      "a\tb\nc\xc2\x9b"
      "31m";
  const std::string text = report_text(r, false);
  CHECK(text.starts_with("\\x1b]0;owned\\x07  serving"));
  CHECK(text.ends_with("  a b\\nc\\u009b31m\n"));
}

TEST_CASE("lines keep their order and their indent") {
  CHECK(printable_lines("one\n\ntwo", "  | ") == "  | one\n  | \n  | two\n");
  CHECK(printable_lines("one\n", "> ") == "> one\n");
  CHECK(printable_lines("", "> ") == "");
}
