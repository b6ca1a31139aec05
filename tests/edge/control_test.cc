// The control socket's two ends against each other, on the real kernel.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <future>
#include <thread>

#include "as_root.h"
#include "control_story.h"
#include "linux/control/control_client.h"
#include "linux/control/control_subscription.h"
#include "linux/event/loop.h"
#include "temp_directory.h"
#include "wait_until.h"

using namespace graced;

namespace {

InstanceReport full_report() {
  InstanceReport r;
  r.name = "shop";
  r.version = "0.1.0";
  r.phase = "reloading";
  r.age = 3h + 250ms;
  r.command = "./shop --port 80";
  r.executable = "/srv/shop/7/shop";
  r.executable_replaced = true;
  r.changed = {"shop.conf", "b"};
  r.config = "/etc/graced/shop.conf";
  r.serving = 6;
  r.candidate = 7;
  r.check = CheckReport{"/bin/check it", 3s};
  r.probes = {{"GET http://a/", false, 1, 2, "500 Internal Server Error"}};
  r.canary = CanaryReport{50, 1, 3, 12s, 41, std::nullopt};
  r.workers_asked = 2;
  r.workers_missing = 1;
  r.workers = {{6, 0, 100, "draining", 2h, infinity, "2 requests left", {"one", "two"}, "", 3, 0},
               {7, 0, 0, "starting", 15ms, 29s, "", {}, "", {}, {}, {}, "given up"},
               {7, 1, 102, "ready", 5us, std::nullopt, "", {}}};
  r.addresses = {{"http", "tcp [::]:80"}, {"admin", "unix /run/shop.sock"}};
  r.last_reload = ReloadReport{5, false, "exited with status 1\npanic: no config", 10min, 1500ms};
  r.last_exit = ExitReport{6, 1, 99, "killed by SIGSEGV after 2s", std::nullopt, "SIGSEGV", 3s, 2s, {"secret"}};
  r.reloads = 4;
  r.failed_reloads = 2;
  r.restarts = 3;
  r.reload_queued = true;
  r.next_restart = 400ms;
  r.self_upgrade = true;
  r.upgraded_from = "0.0.9";
  r.upgraded = 5min;
  r.last_upgrade = UpgradeReport{"mine", false, "/x: it was killed by SIGSEGV", "0.1.0", "0.2.0", 3s};
  r.upgrade_waits_for = "a command of --on";
  r.upgrades = 2;
  r.failed_upgrades = 1;
  return r;
}

std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  REQUIRE(pipe != nullptr);
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
  const int status = ::pclose(pipe);
  if (status != 0) text += "\nstatus " + std::to_string(WEXITSTATUS(status));
  return text;
}

bool contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

// The end of a body in a child that is somebody else.
template <class Body>
int as_nobody(const Body& body) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
    try {
      ::_exit(body() ? 0 : 1);
    } catch (...) { ::_exit(98); }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a reload is answered when it has ended, and the socket serves others meanwhile") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  auto reload =
      std::async(std::launch::async, [&] { return ControlClient{temp / "control"}.reload(infinity); });
  CHECK(graced.hears() == "reload 1");

  InstanceReport report;
  CHECK(ControlClient{temp / "control"}.report(report).outcome == ControlOutcome::ok);
  CHECK(report.pid == graced.pid());
  CHECK(reload.wait_for(0s) == std::future_status::timeout);

  graced.does("answer 1 ok 7");
  const ControlReply reply = reload.get();
  CHECK(reply.outcome == ControlOutcome::ok);
  CHECK(reply.generation == 7);
}

TEST_CASE("a failed reload is told with every line of its reason") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  auto reload =
      std::async(std::launch::async, [&] { return ControlClient{temp / "control"}.reload(infinity); });
  CHECK(graced.hears() == "reload 1");
  graced.does("answer 1 failed generation 7: exited with status 1\\npanic: 100% \xff");

  const ControlReply reply = reload.get();
  CHECK(reply.outcome == ControlOutcome::failed);
  CHECK(reply.why == "generation 7: exited with status 1\npanic: 100% \xef\xbf\xbd");
}

TEST_CASE("who does not wait for a reload is answered at once, and nobody waits for the outcome") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  CHECK(ControlClient{temp / "control"}.reload(std::nullopt).outcome == ControlOutcome::ok);
  CHECK(graced.hears() == "reload 0");
}

TEST_CASE("every asker gets its own answer") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  const auto ask = [&] { return ControlClient{temp / "control"}.reload(infinity); };
  auto first = std::async(std::launch::async, ask);
  CHECK(graced.hears() == "reload 1");
  auto second = std::async(std::launch::async, ask);
  CHECK(graced.hears() == "reload 2");
  graced.does("answer 2 failed no");
  graced.does("answer 1 ok 9");
  CHECK(first.get().generation == 9);
  CHECK(second.get().why == "no");
}

TEST_CASE("an asker that gives up and leaves is forgotten, and its answer ignored") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  CHECK(ControlClient{temp / "control"}.reload(1ms).outcome == ControlOutcome::timed_out);
  CHECK(graced.hears() == "reload 1");
  graced.does("answer 1 ok 2");
  graced.does("answer 1 ok 2");
  graced.does("answer 77 failed nobody asked");
  InstanceReport report;
  CHECK(ControlClient{temp / "control"}.report(report).outcome == ControlOutcome::ok);
}

TEST_CASE("a stop is done when the process is gone, not when it says so") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  auto stop = std::async(std::launch::async, [&] { return ControlClient{temp / "control"}.stop(infinity); });
  CHECK(graced.hears() == "stop 1");
  graced.does("answer 1 ok 0");
  CHECK(stop.wait_for(0s) == std::future_status::timeout);
  CHECK(graced.quit() == 0);
  CHECK(stop.get().outcome == ControlOutcome::ok);
  CHECK(temp.empty());
}

TEST_CASE("a graced that dies while it stops counts as stopped, while it reloads as gone") {
  TempDirectory temp;
  SUBCASE("stop") {
    ControlStory graced{"shop", temp / "control"};
    auto stop = std::async(std::launch::async, [&] { return ControlClient{temp / "control"}.stop(infinity); });
    CHECK(graced.hears() == "stop 1");
    graced.kill();
    CHECK(stop.get().outcome == ControlOutcome::ok);
  }
  SUBCASE("reload") {
    ControlStory graced{"shop", temp / "control"};
    auto reload =
        std::async(std::launch::async, [&] { return ControlClient{temp / "control"}.reload(infinity); });
    CHECK(graced.hears() == "reload 1");
    graced.kill();
    CHECK(reload.get().outcome == ControlOutcome::gone);
  }
}

TEST_CASE("the hammer says how many it hit") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  const ControlReply reply = ControlClient{temp / "control"}.hammer();
  CHECK(reply.outcome == ControlOutcome::ok);
  CHECK(reply.killed == 3);
}

TEST_CASE("the status arrives as it was, to the microsecond") {
  TempDirectory temp;
  const InstanceReport sent = full_report();
  ControlStory graced{"shop", temp / "control", sent};
  InstanceReport got;
  REQUIRE(ControlClient{temp / "control"}.report(got).outcome == ControlOutcome::ok);

  CHECK(got.name == sent.name);
  CHECK(got.version == sent.version);
  CHECK(got.pid == graced.pid());
  CHECK(got.phase == sent.phase);
  CHECK(got.age == sent.age);
  CHECK(got.command == sent.command);
  CHECK(got.executable == sent.executable);
  CHECK(got.executable_replaced);
  CHECK(got.changed == sent.changed);
  CHECK(got.config == sent.config);
  CHECK(got.serving == 6);
  CHECK(got.candidate == 7);
  REQUIRE(got.probes.size() == 1);
  CHECK(got.probes[0].what == "GET http://a/");
  CHECK_FALSE(got.probes[0].passed);
  CHECK(got.probes[0].passes == 1);
  CHECK(got.probes[0].fails == 2);
  CHECK(got.probes[0].saw == "500 Internal Server Error");
  REQUIRE(got.canary);
  CHECK(got.canary->per_mille == 50);
  CHECK(got.canary->step == 1);
  CHECK(got.canary->steps == 3);
  CHECK(got.canary->left == 12s);
  CHECK(got.canary->of_candidate == 41);
  CHECK_FALSE(got.canary->of_serving);
  REQUIRE(got.check.has_value());
  CHECK(got.check->command == "/bin/check it");
  CHECK(got.check->age == 3s);
  REQUIRE(got.workers.size() == 3);
  CHECK(got.workers[0].state == "draining");
  CHECK(got.workers[0].pid == 100);
  CHECK_FALSE(got.workers[0].left);  // for ever is no deadline
  CHECK(got.workers[0].status == "2 requests left");
  CHECK(got.workers[0].last_lines == std::vector<std::string>{"one", "two"});
  CHECK(got.workers[0].connections == 3);
  CHECK(got.workers[0].queued == 0);
  CHECK(got.workers[1].left == 29s);
  CHECK(got.workers[1].then == "given up");
  CHECK(got.workers[2].slot == 1);
  CHECK(got.workers[2].age == 5us);
  CHECK(got.workers_asked == 2);
  CHECK(got.workers_missing == 1);
  CHECK_FALSE(got.workers[2].connections);  // not known is not none
  CHECK_FALSE(got.workers[2].queued);
  REQUIRE(got.addresses.size() == 2);
  CHECK(got.addresses[1].name == "admin");
  CHECK(got.addresses[1].address == "unix /run/shop.sock");
  REQUIRE(got.last_reload);
  CHECK(got.last_reload->generation == 5);
  CHECK_FALSE(got.last_reload->ok);
  CHECK(got.last_reload->why == "exited with status 1\npanic: no config");
  CHECK(got.last_reload->age == 10min);
  CHECK(got.last_reload->took == 1500ms);
  REQUIRE(got.last_exit);
  CHECK(got.last_exit->generation == 6);
  CHECK(got.last_exit->slot == 1);
  CHECK(got.last_exit->pid == 99);
  CHECK(got.last_exit->how == "killed by SIGSEGV after 2s");
  CHECK_FALSE(got.last_exit->status);
  CHECK(got.last_exit->signal == "SIGSEGV");
  CHECK(got.last_exit->age == 3s);
  CHECK(got.last_exit->lived == 2s);
  CHECK(got.last_exit->last_lines == std::vector<std::string>{"secret"});
  CHECK(got.reloads == 4);
  CHECK(got.failed_reloads == 2);
  CHECK(got.restarts == 3);
  CHECK(got.reload_queued);
  CHECK(got.next_restart == 400ms);
  CHECK(got.self_upgrade);
  CHECK(got.upgraded_from == "0.0.9");
  CHECK(got.upgraded == 5min);
  REQUIRE(got.last_upgrade);
  CHECK(got.last_upgrade->token == "mine");
  CHECK_FALSE(got.last_upgrade->ok);
  CHECK(got.last_upgrade->why == "/x: it was killed by SIGSEGV");
  CHECK(got.last_upgrade->from == "0.1.0");
  CHECK(got.last_upgrade->to == "0.2.0");
  CHECK(got.last_upgrade->age == 3s);
  CHECK(got.upgrade_waits_for == "a command of --on");
  CHECK(got.upgrades == 2);
  CHECK(got.failed_upgrades == 1);
}

TEST_CASE("what has not been is not there") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  InstanceReport got;
  REQUIRE(ControlClient{temp / "control"}.report(got).outcome == ControlOutcome::ok);
  CHECK(got.workers.empty());
  CHECK_FALSE(got.last_reload);
  CHECK_FALSE(got.last_exit);
  CHECK_FALSE(got.next_restart);
}

TEST_CASE("what workers say may be any bytes") {
  TempDirectory temp;
  InstanceReport sent;
  sent.workers = {
      {1, 0, 5, "ready", 1s, std::nullopt, std::string("a\0b\xc0\xaf\xed\xa0\x80\xf5z", 10), {"\xc3"}}};
  ControlStory graced{"shop", temp / "control", sent};
  InstanceReport got;
  REQUIRE(ControlClient{temp / "control"}.report(got).outcome == ControlOutcome::ok);
  const std::string bad = "\xef\xbf\xbd";
  CHECK(got.workers.at(0).status == "a" + bad + "b" + bad + bad + bad + bad + bad + bad + "z");
  CHECK(got.workers.at(0).last_lines == std::vector{bad});
}

TEST_CASE("the history arrives as it was, and only root and its own user are shown last words") {
  TempDirectory temp;
  std::filesystem::permissions(temp.path, std::filesystem::perms{0755});
  const std::chrono::system_clock::time_point at{1'795'982'588'123'456us};
  InstanceEvent crashed{
      .kind = InstanceEvent::Kind::crashed, .at = at, .monotonic = Instant{7s}, .generation = 6, .serving = 6};
  crashed.ok = false;
  crashed.worker = 0;
  crashed.worker_pid = 99;
  crashed.status = 3;
  crashed.lived = 2s;
  crashed.reason = "exited with status 3\nsecret \xff";
  InstanceEvent failed{.kind = InstanceEvent::Kind::reload_failed, .at = at, .generation = 7, .serving = 6};
  failed.by = {.how = "control", .signal = "SIGHUP", .user = 0, .pid = 8, .program = "deploy"};
  failed.took = 1s;
  failed.stages = {.prepare = 1ms, .check = 2us, .start = infinity / 2, .probe = 0s};
  failed.signal = "SIGSEGV";
  failed.killed = 4;
  ControlStory graced{"shop", temp / "control", {}, infinity / 2, {crashed, failed}};

  std::vector<InstanceEvent> got;
  REQUIRE(ControlClient{temp / "control"}.history(1000, got).outcome == ControlOutcome::ok);
  REQUIRE(got.size() == 2);
  CHECK(got[0].kind == InstanceEvent::Kind::crashed);
  CHECK(got[0].at == at);
  CHECK(got[0].monotonic == Instant{7s});
  CHECK(got[0].generation == 6);
  CHECK(got[0].serving == 6);
  CHECK(got[0].by.how == "");
  CHECK_FALSE(got[0].by.user.has_value());
  CHECK_FALSE(got[0].ok);
  CHECK_FALSE(got[0].took.has_value());
  CHECK(got[0].worker == 0U);
  CHECK(got[0].worker_pid == 99);
  CHECK(got[0].status == 3);
  CHECK(got[0].lived == 2s);
  CHECK(got[0].reason == "exited with status 3\nsecret \xef\xbf\xbd");
  CHECK(got[1].by.how == "control");
  CHECK(got[1].by.signal == "SIGHUP");
  CHECK(got[1].by.user == 0U);
  CHECK(got[1].by.pid == 8);
  CHECK(got[1].by.program == "deploy");
  CHECK(got[1].took == 1s);
  CHECK(got[1].stages.prepare == 1ms);
  CHECK(got[1].stages.check == 2us);
  CHECK(got[1].stages.start == std::chrono::floor<std::chrono::microseconds>(infinity / 2));
  CHECK(got[1].stages.probe == 0s);
  CHECK_FALSE(got[1].status.has_value());
  CHECK_FALSE(got[1].worker.has_value());
  CHECK(got[1].signal == "SIGSEGV");
  CHECK(got[1].killed == 4);

  REQUIRE(ControlClient{temp / "control"}.history(1, got).outcome == ControlOutcome::ok);
  CHECK(got.size() == 1);
  CHECK(got[0].kind == InstanceEvent::Kind::reload_failed);
  if (!as_root("to become somebody else")) return;
  CHECK(as_nobody([&] {
          std::vector<InstanceEvent> told;
          return ControlClient{temp / "control"}.history(2, told).outcome == ControlOutcome::ok &&
                 told.size() == 2 && told[0].reason == "exited with status 3" && told[0].status == 3;
        }) == 0);
}

TEST_CASE("who subscribes is told what happens, with its last words only if they are its own") {
  TempDirectory temp;
  std::filesystem::permissions(temp.path, std::filesystem::perms{0755});
  const InstanceEvent before{.kind = InstanceEvent::Kind::serving, .monotonic = Instant{7s}, .generation = 1};
  const InstanceEvent since{.kind = InstanceEvent::Kind::reloaded, .monotonic = Instant{9s}, .generation = 2};
  InstanceReport report;
  report.name = "shop";
  report.serving = 2;
  ControlStory graced{"shop", temp / "control", report, infinity / 2, {before, since}};

  const auto next = [](ControlSubscription& subscription) {
    std::vector<InstanceEvent> events;
    wait_until([&] {
      subscription.advance();
      events = subscription.take();
      return !events.empty();
    });
    return events;
  };
  ControlSubscription subscription{temp / "control", Instant{8s}};
  std::vector<InstanceEvent> events = next(subscription);
  CHECK(subscription.state() == ControlSubscription::State::following);
  CHECK(subscription.name() == "shop");
  CHECK(subscription.serving() == 2);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == InstanceEvent::Kind::reloaded);
  CHECK(events[0].name == "shop");

  graced.does("happened reload-failed 3 exited with status 1\\nsecret");
  events = next(subscription);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == InstanceEvent::Kind::reload_failed);
  CHECK(events[0].generation == 3U);
  CHECK(events[0].reason == "exited with status 1\nsecret");
  if (as_root("to become somebody else")) {
    CHECK(as_nobody([&] {
            ControlSubscription stranger{temp / "control", monotonic_now()};
            wait_until([&] {
              stranger.advance();
              return stranger.state() == ControlSubscription::State::following;
            });
            graced.does("happened reload-failed 4 exited with status 1\\nsecret");
            const std::vector<InstanceEvent> told = next(stranger);
            return told.size() == 1 && told[0].generation == 4U && told[0].reason == "exited with status 1";
          }) == 0);
  }
  graced.kill();
  wait_until([&] {
    subscription.advance();
    return subscription.state() == ControlSubscription::State::gone;
  });
}

TEST_CASE("lines of workers arrive as they were, those that are there and those that come") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  graced.does("line \x01\xff\\n");
  graced.does("line second");

  ControlClient client{temp / "control"};
  LogPage page;
  REQUIRE(client.logs(0, false, page).outcome == ControlOutcome::ok);
  CHECK(page.place == LogPlace::kept);
  CHECK(page.next == 3);
  REQUIRE(page.lines.size() == 2);
  CHECK(page.lines[0].number == 1);
  CHECK(page.lines[0].at == std::chrono::system_clock::time_point{5s});
  CHECK(page.lines[0].by == Speaker{.generation = 1, .worker = 2, .pid = 3, .at_stderr = true});
  CHECK(page.lines[0].said.text == "\x01\xff\n");
  CHECK(page.lines[0].said.continues);
  CHECK(page.lines[1].said.text == "second");

  // Who asks for what is there gets that at once, and none is nothing to wait for.
  REQUIRE(client.logs(3, false, page).outcome == ControlOutcome::ok);
  CHECK(page.lines.empty());
  REQUIRE(client.logs(2, true, page).outcome == ControlOutcome::ok);
  CHECK(page.lines.size() == 1);

  std::thread later([&] { graced.does("line third"); });
  REQUIRE(client.logs(3, true, page).outcome == ControlOutcome::ok);
  later.join();
  REQUIRE(page.lines.size() == 1);
  CHECK(page.lines[0].said.text == "third");
}

TEST_CASE("who waits for lines and goes is forgotten") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  {
    ControlClient client{temp / "control"};
    LogPage page;
    REQUIRE(client.logs(0, false, page).outcome == ControlOutcome::ok);
    const pid_t reader = ::fork();
    if (reader == 0) {
      try {
        ControlClient other{temp / "control"};
        LogPage none;
        other.logs(1, true, none);
      } catch (const std::exception&) {}
      ::_exit(0);
    }
    ::kill(reader, SIGKILL);
    ::waitpid(reader, nullptr, 0);
  }
  graced.does("line nobody hears");
  CHECK(graced.quit() == 0);
}

TEST_CASE("another user may look and not touch") {
  if (!as_root("to become somebody else")) return;
  TempDirectory temp;
  std::filesystem::permissions(temp.path, std::filesystem::perms{0755});
  ControlStory graced{"shop", temp / "control", full_report()};
  CHECK(as_nobody([&] {
          ControlClient client{temp / "control"};
          InstanceReport report;
          return client.report(report).outcome == ControlOutcome::ok && report.name == "shop";
        }) == 0);
  CHECK(as_nobody([&] {
          LogPage page;
          return ControlClient{temp / "control"}.logs(0, false, page).outcome == ControlOutcome::denied;
        }) == 0);
  // What workers said last, and command lines, may hold secrets.
  CHECK(as_nobody([&] {
          ControlClient client{temp / "control"};
          InstanceReport report;
          return client.report(report).outcome == ControlOutcome::ok && report.workers[0].last_lines.empty() &&
                 report.command.empty() && report.check && report.check->command.empty() &&
                 report.probes[0].what == "GET http://a/" && report.workers[0].status == "2 requests left" &&
                 report.last_exit->last_lines.empty() &&
                 report.last_exit->how == "killed by SIGSEGV after 2s" &&
                 report.last_reload->why == "exited with status 1";
        }) == 0);
  CHECK(as_nobody([&] {
          ControlClient client{temp / "control"};
          const ControlReply reply = client.reload(infinity);
          return reply.outcome == ControlOutcome::denied &&
                 reply.why == "only root may do this, you are uid 65534" &&
                 client.stop(infinity).outcome == ControlOutcome::denied &&
                 client.hammer().outcome == ControlOutcome::denied &&
                 client.abort().outcome == ControlOutcome::denied &&
                 client.reload(std::nullopt).outcome == ControlOutcome::denied;
        }) == 0);
  graced.does("phase serving");  // and had been asked nothing
}

TEST_CASE("whoever watches sees phases, workers and reloads go by") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  if (!std::filesystem::exists("/usr/bin/busctl")) {
    MESSAGE("skipped: no busctl");
    return;
  }
  std::FILE* busctl =
      ::popen(("busctl --address=unix:path=" + (temp / "control") + " monitor 2>&1").c_str(), "re");
  REQUIRE(busctl != nullptr);
  const auto seen = [&](const std::string& what) {
    std::array<char, 512> line;
    for (;;) {
      pollfd watched{.fd = ::fileno(busctl), .events = POLLIN, .revents = 0};
      if (::poll(&watched, 1, 20'000) != 1 || std::fgets(line.data(), line.size(), busctl) == nullptr)
        return false;
      if (contains(line.data(), what)) return true;
    }
  };
  ::setvbuf(busctl, nullptr, _IONBF, 0);
  CHECK(seen("Monitoring bus message stream"));
  graced.does("phase reloading");
  graced.does("worker 7 1 4242 ready");
  graced.does("finished 7 ok");
  CHECK(seen("Member=PhaseChanged"));
  CHECK(seen("STRING \"reloading\""));
  CHECK(seen("Member=WorkerChanged"));
  CHECK(seen("INT32 4242"));
  CHECK(seen("Member=ReloadFinished"));
  CHECK(seen("BOOLEAN true"));
  CHECK(graced.quit() == 0);  // which ends busctl as well
  ::pclose(busctl);
}

TEST_CASE("busctl can look around, read and call") {
  if (!std::filesystem::exists("/usr/bin/busctl")) {
    MESSAGE("skipped: no busctl");
    return;
  }
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control", full_report()};
  const std::string busctl = "busctl --address=unix:path=" + (temp / "control") + " ";
  const std::string object = " org.graced.Supervisor1 /org/graced/Supervisor1 ";

  const std::string all = output_of(busctl + "introspect" + object);
  for (const char* member :
       {".Reload ", ".Abort ", ".Stop ", ".Hammer ", ".Phase ", ".Workers ", ".LastReload ", ".LastExit ",
        ".WorkersAsked ", ".PhaseChanged ", ".WorkerChanged ", ".ReloadFinished "})
    CHECK_MESSAGE(contains(all, member), all);
  CHECK(output_of(busctl + "get-property" + object + "org.graced.Supervisor1 Serving") == "t 6\n");
  CHECK(output_of(busctl + "get-property" + object + "org.graced.Supervisor1 LastReload") ==
        "(tbstt) 5 false \"exited with status 1\\npanic: no config\" 600000000 1500000\n");
  CHECK(output_of(busctl + "get-property" + object + "org.graced.Supervisor1 LastExit") ==
        "(tuisisttas) 6 1 99 \"killed by SIGSEGV after 2s\" -1 \"SIGSEGV\" 3000000 2000000 1 \"secret\"\n");
  CHECK(output_of(busctl + "call" + object + "org.graced.Supervisor1 Hammer") == "u 3\n");
  CHECK(graced.hears() == "hammer");
  CHECK(output_of(busctl + "call" + object + "org.graced.Supervisor1 Reload b false") == "t 0\n");
  CHECK(graced.hears() == "reload 0");
  CHECK(contains(output_of(busctl + "call" + object + "org.graced.Supervisor1 Reload"), "Invalid argument"));
}

TEST_CASE("an exception in the daemon passes by the socket and comes out of the loop") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  graced.does("throw");
  CHECK(ControlClient{temp / "control"}.hammer().outcome != ControlOutcome::ok);
  CHECK(graced.quit() == 42);
}
