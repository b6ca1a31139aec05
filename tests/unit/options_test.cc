// Options in their layers: who wins, what the values become, what does not go together.
#include "options/options.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "linux/self/cpus.h"
#include "options/one_line.h"
#include "written_files.h"

using namespace graced;

namespace {

using Words = std::vector<std::string>;

RunOptions load(const Words& args, const Words& environment = {}) {
  return load_run_options(args, environment);
}

std::string complaint(const Words& args, const Words& environment = {}) {
  try {
    load_run_options(args, environment);
  } catch (const UsageError& why) { return why.what(); }
  return "none";
}

Words listens(const RunOptions& options) {
  Words addresses;
  for (const auto& spec : options.listen) addresses.push_back(spec.address());
  return addresses;
}

std::vector<Setting> settings_of(const Words& args, const Words& environment = {}) {
  std::vector<Setting> settings;
  load_run_options(args, environment, &settings);
  return settings;
}

Setting setting(const std::vector<Setting>& settings, std::string_view name) {
  const auto at = std::ranges::find(settings, name, &Setting::option);
  REQUIRE(at != settings.end());
  return *at;
}

}  // namespace

TEST_CASE("a command alone is enough") {
  const auto options = load({"./bin/app"});
  CHECK(options.command == Words{"./bin/app"});
  CHECK(options.name == "app");
  CHECK(options.listen.empty());
  CHECK(options.policy == Policy{});
  CHECK(options.drain_signal == SIGTERM);
  CHECK(options.watch_stderr);
  CHECK_FALSE(options.watch_stdout);
  CHECK(options.output == OutputChoice::plain);
  CHECK(options.notes.empty());
}

TEST_CASE("options end where the command begins") {
  const auto options = load({"-l", "8080", "./app", "--port", "1", "-w", "--help", "--"});
  CHECK(listens(options) == Words{"8080"});
  CHECK(options.command == Words{"./app", "--port", "1", "-w", "--help", "--"});
  CHECK(options.policy.workers == 1);
  CHECK(load({"--", "-w"}).command == Words{"-w"});
  CHECK(load({"-w", "2", "--", "app", "", "a b", "it's"}).command == Words{"app", "", "a b", "it's"});
}

TEST_CASE("a value follows its option in any of the usual ways") {
  CHECK(listens(load({"-l", "1", "-l2", "--listen", "3", "--listen=4", "app"})) == Words{"1", "2", "3", "4"});
  CHECK(load({"--ready", "listen", "app"}).policy.ready == ReadyRule::listen);
  CHECK(load({"--chdir", "name", "app"}).chdir == "name");
}

TEST_CASE("a switch needs no value on the command line, and has one elsewhere") {
  const WrittenFiles files;
  CHECK_FALSE(load({"app"}).daemonize);
  CHECK(load({"--daemonize", "app"}).command == Words{"app"});
  CHECK(load({"--config", files.write("on", "daemonize = yes\n"), "app"}).daemonize);
  CHECK_FALSE(load({"--config", files.write("off", "daemonize = no\n"), "app"}).daemonize);
  CHECK_FALSE(load({"app"}).self_upgrade);
  CHECK(load({"--self-upgrade", "app"}).self_upgrade);
  CHECK(load({"--config", files.write("own", "self-upgrade = yes\n"), "app"}).self_upgrade);
  CHECK_FALSE(load({"--config", files.write("not", "self-upgrade = no\n"), "app"}).self_upgrade);
  CHECK_THROWS_WITH(load({"--config", files.write("odd", "daemonize = maybe\n"), "app"}),
                    doctest::Contains("'maybe' is neither yes nor no"));
}

TEST_CASE("a canary is read with its gate, and a gate alone is noted") {
  const auto options = load({"--canary", "5%/30s,25%/2min", "--gate", "rate --below '1 %'", "app"});
  CHECK(options.policy.canary == std::vector<CanaryStep>{{50, 30s}, {250, 2min}});
  CHECK(options.policy.gated);
  CHECK(options.gate == Words{"rate", "--below", "1 %"});
  CHECK(options.notes.empty());
  CHECK(load({"--gate", "true", "app"}).notes ==
        Words{"--gate has no effect without --canary: it is run at the end of each step of that"});
  CHECK_THROWS_WITH(load({"--canary", "100%/1s", "app"}),
                    doctest::Contains("a share of 100% is all of them, which it gets after the last step"));
}

TEST_CASE("a server to be taken over is read, and refused where no worker would bind its addresses") {
  const auto options = load({"--take", "nginx", "--take-stop", "sv down 'my shop'", "app"});
  REQUIRE(options.take);
  CHECK(options.take->text() == "nginx.service");
  CHECK(options.take_stop == Words{"sv", "down", "my shop"});
  CHECK(options.notes.empty());
  CHECK(load({"--take", "tcp:80", "-l", "81", "--adopt", "on", "app"}).take->port == 80);
  CHECK(load({"--take-stop", "true", "app"}).notes == Words{"--take-stop has no effect without --take"});
  CHECK_THROWS_WITH(load({"--take", "udp:53", "app"}),
                    doctest::Contains("--take udp:53: 'udp:53': only TCP servers"));
  CHECK_THROWS_WITH(
      load({"--take", "tcp:80", "--adopt", "off", "app"}),
      "--take tcp:80: what is taken over goes to workers that bind it themselves, so it cannot be had "
      "with --adopt off");
  CHECK_THROWS_WITH(
      load({"--take", "tcp:80", "-l", "80", "app"}),
      "--take tcp:80: what is taken over goes to workers that bind it themselves: leave out --listen, or "
      "say --adopt on for what the workers bind beside it");
}

TEST_CASE("a PID to be taken over is not for a file") {
  const WrittenFiles files;
  const std::string file = files.write("conf", "take = 812\n");
  CHECK(load({"--take", "812", "app"}).notes.empty());
  CHECK(load({"--config", file, "app"}).notes ==
        Words{file + ":1: take = 812: 812 is another process's number one day: name the unit, or the address"});
}

TEST_CASE("every option arrives where it belongs") {
  const WrittenFiles files;
  const auto env_file = files.write("env", "FROM=file\n");
  const auto options = load({"--workers",
                             "3",
                             "--ready",
                             "after:2s",
                             "--ready-timeout",
                             "5s",
                             "--drain-signal",
                             "QUIT",
                             "--drain-timeout",
                             "infinity",
                             "--stop-timeout",
                             "0",
                             "--max-draining",
                             "2",
                             "--restart",
                             "on-failure",
                             "--restart-delay",
                             "1min",
                             "--start-limit",
                             "3/5min",
                             "--env-file",
                             env_file,
                             "--env",
                             "A=1",
                             "--env",
                             "B=x=y",
                             "--chdir",
                             "/srv",
                             "--user",
                             "www",
                             "--group",
                             "adm",
                             "--umask",
                             "027",
                             "--rlimit",
                             "nofile=1024:65536",
                             "--rlimit",
                             "core=infinity",
                             "--check",
                             "./app 'self test'",
                             "--name",
                             "web",
                             "--control",
                             "/run/c",
                             "--stderr",
                             "inherit",
                             "--pid-file",
                             "/run/p",
                             "--draining-memory-high",
                             "64M",
                             "--notify-fd",
                             "3",
                             "--daemonize",
                             "--log-format",
                             "json",
                             "--log-level",
                             "debug",
                             "app"});
  CHECK(options.draining_memory_high == 64U << 20);
  CHECK(options.notify_fd == 3);
  CHECK(options.daemonize);
  CHECK(options.policy.workers == 3);
  CHECK(options.policy.ready == ReadyRule::after);
  CHECK(options.policy.ready_after == 2s);
  CHECK(options.policy.ready_timeout == 5s);
  CHECK(options.drain_signal == SIGQUIT);
  CHECK(options.policy.drain_timeout == infinity);
  CHECK(options.policy.stop_timeout == 0s);
  CHECK(options.policy.max_draining == 2);
  CHECK(options.policy.restart == RestartRule::on_failure);
  CHECK(options.policy.restart_delay == 1min);
  CHECK(options.policy.restart_delay_limit == 1min);
  CHECK(options.policy.start_limit == 3);
  CHECK(options.policy.start_limit_window == 5min);
  CHECK(options.env_files == Words{env_file});
  CHECK(options.environment == Words{"FROM=file", "A=1", "B=x=y"});
  CHECK(options.chdir == "/srv");
  CHECK(options.user == "www");
  CHECK(options.group == "adm");
  CHECK(options.umask == 027);
  REQUIRE(options.rlimits.size() == 2);
  CHECK(options.rlimits[0].resource == RLIMIT_NOFILE);
  CHECK(load({"--rlimit", "NOFILE=64", "app"}).rlimits[0].resource == RLIMIT_NOFILE);
  CHECK(options.rlimits[0].soft == 1024);
  CHECK(options.rlimits[0].hard == 65536);
  CHECK(options.rlimits[1].resource == RLIMIT_CORE);
  CHECK(options.rlimits[1].soft == RLIM_INFINITY);
  CHECK(options.rlimits[1].hard == RLIM_INFINITY);
  CHECK(options.check == Words{"./app", "self test"});
  CHECK(options.name == "web");
  CHECK(options.control == "/run/c");
  CHECK_FALSE(options.watch_stderr);
  CHECK(options.pid_file == "/run/p");
  CHECK(options.log_format == LogFormat::json);
  CHECK(options.log_level == LogLevel::debug);
}

TEST_CASE("who wants each line told by whom it is wants stdout told as well, unless it is said that it stays") {
  CHECK(load({"--output", "prefix", "app"}).watch_stdout);
  CHECK_FALSE(load({"--output", "plain", "app"}).watch_stdout);
  CHECK_FALSE(load({"--output", "prefix", "--stdout", "inherit", "app"}).watch_stdout);
  CHECK_FALSE(load({"--output", "prefix", "--stderr", "inherit", "app"}).watch_stderr);
  CHECK(load({"--output", "prefix", "app"}).notes.empty());
  CHECK(load({"--output", "prefix", "--stderr", "inherit", "--stdout", "inherit", "app"}).notes ==
        Words{"--output prefix has no effect: neither --stdout nor --stderr is watch"});
}

TEST_CASE("the other words an option knows are known too") {
  CHECK(load({"--ready", "auto", "app"}).policy.ready == ReadyRule::automatic);
  CHECK(load({"--ready", "notify", "app"}).policy.ready == ReadyRule::notify);
  CHECK(load({"--restart", "always", "app"}).policy.restart == RestartRule::always);
  CHECK(load({"--restart", "never", "app"}).policy.restart == RestartRule::never);
  CHECK(load({"--stderr", "watch", "app"}).watch_stderr);
  CHECK(load({"--stdout", "watch", "app"}).watch_stdout);
  CHECK(load({"--output", "plain", "app"}).output == OutputChoice::plain);
  CHECK(load({"--output", "prefix", "app"}).output == OutputChoice::prefix);
  CHECK(load({"--output", "prefix-time", "app"}).output == OutputChoice::prefix_time);
  CHECK(load({"--log-format", "text", "app"}).log_format == LogFormat::text);
  CHECK(load({"--log-format", "journal", "app"}).log_format == LogFormat::journal);
  CHECK(load({"--log-format", "auto", "app"}).log_format == LogFormat::automatic);
  CHECK(load({"--log-level", "error", "app"}).log_level == LogLevel::error);
  CHECK(load({"--log-level", "warning", "app"}).log_level == LogLevel::warning);
  CHECK(load({"--log-level", "info", "app"}).log_level == LogLevel::info);
  CHECK(load({"--workers", "auto", "app"}).policy.workers == std::min(available_cpus(), 1024U));
}

TEST_CASE("how many workers a reload starts at a time is a number, a part of them, or all") {
  CHECK(!load({"app"}).policy.max_surge.limits());
  CHECK(load({"--max-surge", "4", "app"}).policy.max_surge == MaxSurge{4});
  CHECK(load({"--max-surge", "25%", "app"}).policy.max_surge == MaxSurge{25, true});
  CHECK(load({"--max-surge", "all", "app"}).policy.max_surge == MaxSurge{});
  CHECK(setting(settings_of({"app"}, {}), "max-surge").value == "all");
  CHECK(setting(settings_of({"--max-surge", "25%", "app"}, {}), "max-surge").value == "25%");
  CHECK(complaint({"--max-surge", "0", "app"})
            .starts_with("--max-surge 0: not a number of workers between 1 and 1024"));
  CHECK(complaint({"--max-surge", "2", "--probation", "1min", "app"})
            .starts_with("--max-surge 2 and --probation 1min cannot be had together"));
}

TEST_CASE("a signal has a name, with or without SIG, or a number") {
  for (const char* text : {"TERM", "SIGTERM", "term", "sigterm", "15"}) {
    CAPTURE(text);
    CHECK(load({"--drain-signal", text, "app"}).drain_signal == SIGTERM);
  }
  CHECK(load({"--drain-signal", "RTMIN", "app"}).drain_signal == SIGRTMIN);
  CHECK(load({"--drain-signal", "SIGRTMIN+3", "app"}).drain_signal == SIGRTMIN + 3);
  CHECK(load({"--drain-signal", "RTMAX", "app"}).drain_signal == SIGRTMAX);
  CHECK(load({"--drain-signal", "RTMAX-1", "app"}).drain_signal == SIGRTMAX - 1);
  CHECK(setting(settings_of({"--drain-signal", "sigusr2", "app"}), "drain-signal").value == "USR2");
  CHECK(setting(settings_of({"--drain-signal", "RTMIN+3", "app"}), "drain-signal").value == "RTMIN+3");
}

TEST_CASE("the command line is above the environment, and that above the file") {
  const WrittenFiles files;
  const auto config = files.write(
      "app.conf", "command = ./from-file 'a b'\nworkers = 2\nmax-draining = 2\nready-timeout = 2s\n");
  const Words environment{"PATH=/bin", "GRACED_CONFIG=" + config, "GRACED_WORKERS=3", "GRACED_MAX_DRAINING=3"};

  const auto options = load({"--workers", "4"}, environment);
  CHECK(options.command == Words{"./from-file", "a b"});
  CHECK(options.name == "from-file");
  CHECK(options.config == config);
  CHECK(options.policy.workers == 4);
  CHECK(options.policy.max_draining == 3);
  CHECK(options.policy.ready_timeout == 2s);

  const auto settings = settings_of({"--workers", "4"}, environment);
  CHECK(setting(settings, "workers").origin == "command line");
  CHECK(setting(settings, "max-draining").origin == "GRACED_MAX_DRAINING");
  CHECK(setting(settings, "ready-timeout").origin == config + ":4");
  CHECK(setting(settings, "command").value == "./from-file 'a b'");
  CHECK(setting(settings, "command").origin == config + ":1");
  CHECK(setting(settings, "drain-timeout").origin == "default");
  CHECK(setting(settings, "drain-timeout").value == "1min");

  CHECK(load({"./typed"}, {"GRACED_COMMAND=./exported x"}).command == Words{"./typed"});
  CHECK(load({}, {"GRACED_COMMAND=./exported 'x y'"}).command == Words{"./exported", "x y"});
}

TEST_CASE("a list in a higher layer replaces the lower one's, nothing is merged") {
  const WrittenFiles files;
  const auto config = files.write("app.conf", "command = app\nlisten = 1\nlisten = 2\nenv = A=1\n");
  CHECK(listens(load({"--config", config})) == Words{"1", "2"});
  CHECK(listens(load({"--config", config}, {"GRACED_LISTEN=3 unix:/a,mode=0600"})) == Words{"3", "unix:/a"});
  CHECK(listens(load({"--config", config, "-l", "5"}, {"GRACED_LISTEN=3 4"})) == Words{"5"});
  CHECK(load({"--config", config}).environment == Words{"A=1"});
  CHECK(load({"--config", config}, {"GRACED_ENV=B='x y' C=2"}).environment == Words{"B=x y", "C=2"});
}

TEST_CASE("each value of a list says where it comes from") {
  const WrittenFiles files;
  const auto config = files.write("app.conf", "command = app\nlisten = 1\n\nlisten = 2\n");
  Words origins;
  for (const auto& each : settings_of({"--config", config})) {
    if (each.option == "listen") origins.push_back(each.value + " " + each.origin);
  }
  CHECK(origins == Words{"1 " + config + ":2", "2 " + config + ":4"});
}

TEST_CASE("loading again sees what the files say now") {
  const WrittenFiles files;
  const auto env = files.write("app.env", "A=1\n");
  const auto config = files.write("app.conf", "command = app\nworkers = 1\nenv-file = " + env + "\n");
  const Words args{"--config", config};
  CHECK(load(args).policy.workers == 1);
  CHECK(load(args).environment == Words{"A=1"});
  files.write("app.conf", "command = app\nworkers = 2\nenv-file = " + env + "\n");
  files.write("app.env", "A=2\n");
  CHECK(load(args).policy.workers == 2);
  CHECK(load(args).environment == Words{"A=2"});
  files.write("app.conf", "command = app\nwokers = 3\n");
  CHECK(complaint(args) == config + ":2: unknown option 'wokers'; did you mean 'workers'?");
}

TEST_CASE("environment files come first, so that --env has the last word") {
  const WrittenFiles files;
  const auto one = files.write("one", "A=1\n");
  const auto two = files.write("two", "A=2\n");
  const auto options = load(
      {"--env", "A=3", "--env-file", one, "--env-file", two, "--env-file", "-" + files.path("none"), "app"});
  CHECK(options.environment == Words{"A=1", "A=2", "A=3"});
}

TEST_CASE("an empty variable is not set") {
  const auto options =
      load({"app"}, {"GRACED_WORKERS=", "GRACED_CONFIG=", "GRACED_LISTEN=", "GRACED_LISTEN=  "});
  CHECK(options.policy.workers == 1);
  CHECK(options.listen.empty());
}

TEST_CASE("a graced inside a worker is not called like the one around it") {
  const Words environment{"GRACED_NAME=outer", "GRACED_CONTROL=/run/outer", "GRACED_DRAIN_TIMEOUT=7",
                          "GRACED_WORKER=0", "GRACED_GENERATION=7"};
  CHECK(load({"./inner"}, environment).name == "inner");
  CHECK_FALSE(load({"./inner"}, environment).control);
  CHECK(load({"./inner"}, environment).policy.drain_timeout == Policy{}.drain_timeout);
  CHECK(load({"./inner"}, environment).notes.empty());
  CHECK(load({"./inner"}, {"GRACED_NAME=mine"}).name == "mine");
}

TEST_CASE("an unknown GRACED_ variable is noted, not refused") {
  const auto options = load({"app"}, {"GRACED_WORKRS=3", "GRACED_XYZZY=1", "GRACEDLESS=1"});
  CHECK(options.notes == Words{"GRACED_WORKRS in the environment is no option; did you mean 'GRACED_WORKERS'?",
                               "GRACED_XYZZY in the environment is no option"});
}

TEST_CASE("a line of the file that a variable outweighs is noted, for an image may have set it") {
  const WrittenFiles files;
  const auto config = files.write("app.conf", "command = app\nstop-timeout = 40s\nworkers = 2\nname = shop\n");
  const Words environment{"GRACED_STOP_TIMEOUT=8s", "GRACED_WORKERS=2", "GRACED_NAME=mine"};
  const auto options = load({"--config", config, "--name", "asked"}, environment);
  CHECK(options.policy.stop_timeout == 8s);
  CHECK(options.notes == Words{config + ":2: stop-timeout = 40s does not count: GRACED_STOP_TIMEOUT=8s in the "
                                        "environment counts more"});
  const auto lists = files.write("lists.conf", "command = app\nenv = A=1\nname = x\nenv = B=2\n");
  CHECK(load({"--config", lists}, {"GRACED_ENV=C=3"}).notes ==
        Words{lists + ":2: env = A=1 does not count: GRACED_ENV=C=3 in the environment counts more"});
}

TEST_CASE("without any command there is nothing to run") {
  const std::string way_out =
      "no command to run: put it last, as in graced run -l 8080 -- ./app, or as command = ./app into a "
      "--config "
      "file";
  CHECK(complaint({}) == way_out);
  CHECK(complaint({"-l", "8080", "--"}) == way_out);
  CHECK(complaint({""}) == "'': the command is empty");
  CHECK(complaint({}, {"GRACED_COMMAND=  "}) == "GRACED_COMMAND=: the command is empty");
}

TEST_CASE("an unknown option is answered with the nearest one") {
  CHECK(complaint({"--lisen", "80", "app"}) == "unknown option '--lisen'; did you mean '--listen'?");
  CHECK(complaint({"--lisen=80", "app"}) == "unknown option '--lisen'; did you mean '--listen'?");
  CHECK(complaint({"--xyzzy", "app"}) == "unknown option '--xyzzy'; see graced run --help");
  CHECK(complaint({"-x", "app"}) == "unknown option '-x'; see graced run --help");
}

TEST_CASE("the beginning of an option is not the option") {
  CHECK(complaint({"--work", "2", "app"}).starts_with("unknown option '--work'"));
  CHECK(complaint({"--drain-i", "1s", "app"}).starts_with("unknown option '--drain-i'"));
}

TEST_CASE("adoption and idle drain are asked for by name, or left to graced") {
  const RunOptions unasked = load({"app"});
  CHECK(unasked.adopt == AdoptChoice::automatic);
  CHECK(unasked.drain == DrainChoice::automatic);
  CHECK(unasked.policy.drain_idle == infinity);
  CHECK(unasked.policy.drain_grace == 5s);
  const RunOptions asked =
      load({"--adopt", "on", "--drain", "idle", "--drain-idle", "250ms", "--drain-grace", "2s", "app"});
  CHECK(asked.adopt == AdoptChoice::on);
  CHECK(asked.drain == DrainChoice::idle);
  CHECK(asked.policy.drain_idle == 250ms);
  CHECK(asked.policy.drain_grace == 2s);
  CHECK(asked.notes.empty());
  CHECK(load({"--drain", "signal", "app"}).notes.empty());
  CHECK(load({"--drain", "signal", "--drain-idle", "1s", "app"}).notes ==
        std::vector<std::string>{"--drain-idle has no effect with --drain signal: the worker is told at once"});
  CHECK(complaint({"--adopt", "yes", "app"}).starts_with("--adopt"));
  CHECK_FALSE(unasked.adopt_changes);
  CHECK(load({"--adopt-changes", "allow", "app"}).adopt_changes);
  CHECK(complaint({"--adopt-changes", "yes", "app"}).starts_with("--adopt-changes"));
  CHECK(complaint({"--drain", "slowly", "app"}).starts_with("--drain"));
}

TEST_CASE("how many UDP flows are remembered, and for how long") {
  const RunOptions unasked = load({"app"});
  CHECK(unasked.udp_flows == 16384);
  CHECK(unasked.udp_flow_timeout == 30s);
  const RunOptions asked = load({"--udp-flows", "65536", "--udp-flow-timeout", "2min", "app"});
  CHECK(asked.udp_flows == 65536);
  CHECK(asked.udp_flow_timeout == 2min);
  CHECK(load({"--udp-flows", "off", "app"}).udp_flows == 0);
  for (const char* wrong : {"0", "on", "-1", "1048577"})
    CHECK(complaint({"--udp-flows", wrong, "app"}).ends_with(", or 'off'"));
  CHECK(complaint({"--udp-flow-timeout", "50ms", "app"}).ends_with("a flow may be silent for 100ms at least"));
  CHECK(complaint({"--udp-flow-timeout", "infinity", "app"}).starts_with("--udp-flow-timeout"));
}

TEST_CASE("an option needs its value, a flag takes none, and only lists are given twice") {
  CHECK(complaint({"--workers"}) == "--workers needs a value: --workers N|auto");
  CHECK(complaint({"-l"}) == "--listen needs a value: --listen ADDR[,opt=value…]");
  CHECK(complaint({"--name=", "app"}) == "--name needs a value: --name NAME");
  CHECK(complaint({"--help=1", "app"}) == "--help takes no value");
  CHECK(complaint({"-w", "1", "--workers=2", "app"}) == "--workers is given twice");
}

TEST_CASE("where a value should be, an option by its letter is none") {
  CHECK(complaint({"--workers", "-l", "80", "app"}) == "--workers needs a value: --workers N|auto");
  CHECK(load({"--env-file", "-/nonexistent", "app"}).env_files == Words{"-/nonexistent"});
  try {
    load({"--workers", "-l", "x", "--name=", "-hw", "--lisen=", "--workers"});
    FAIL("it was taken");
  } catch (const UsageError& why) {
    CHECK(why.lines() == Words{"--workers needs a value: --workers N|auto", "--name needs a value: --name NAME",
                               "--help takes no value", "unknown option '--lisen'; did you mean '--listen'?"});
  }
}

TEST_CASE("what begins as an option does and has no name is an unknown one") {
  CHECK(complaint({"--=80", "app"}) == "unknown option '--'; see graced run --help");
  CHECK(complaint({"---=", "app"}) == "unknown option '---'; see graced run --help");
  CHECK(complaint({"---", "app"}) == "unknown option '---'; see graced run --help");
  CHECK(load({"-"}).command == Words{"-"});
}

TEST_CASE("variables are those of the environment that is asked, and the process keeps its own") {
  ::setenv("GRACED_WORKERS", "7", 1);
  char** const own = environ;
  CHECK(load({"app"}).policy.workers == 1);
  CHECK(load({"app"}, {"no variable", "GRACED_WORKERS=2", "GRACED_WORKERS=3"}).policy.workers == 2);
  CHECK(environ == own);
  CHECK(std::string{::getenv("GRACED_WORKERS")} == "7");
  ::unsetenv("GRACED_WORKERS");
}

TEST_CASE("a bad value is named together with where it was said") {
  const WrittenFiles files;
  const auto config = files.write("app.conf", "command = app\n\nworkers = lots\n");
  CHECK(complaint({"-w", "lots", "app"}) == "--workers lots: not a number between 1 and 1024, nor auto");
  CHECK(complaint({"app"}, {"GRACED_WORKERS=lots"}) ==
        "GRACED_WORKERS=lots: not a number between 1 and 1024, nor auto");
  CHECK(complaint({"--config", config}) ==
        config + ":3: workers = lots: not a number between 1 and 1024, nor auto");
}

TEST_CASE("every kind of value is refused in words that fit it") {
  const auto says = [](const std::string& option, const std::string& value) {
    const auto line = complaint({option, value, "app"});
    const auto where = option + " " + value + ": ";
    CHECK(line.starts_with(where));
    return line.substr(std::min(line.size(), where.size()));
  };
  const std::string no_time = "not a time, as in 250ms, 5s, 2min, 1h or infinity";
  CHECK(says("--listen", "80800") == "port '80800' is not between 0 and 65535");
  CHECK(says("--listen", "8080,mode=0600") == "option 'mode' is for unix socket files only");
  CHECK(says("--workers", "0") == "not a number between 1 and 1024, nor auto");
  CHECK(says("--workers", "1025") == "not a number between 1 and 1024, nor auto");
  CHECK(says("--max-draining", "0") == "not a number between 1 and 1000");
  CHECK(says("--ready", "lissen") == "not auto, notify, listen or after:TIME; did you mean 'listen'?");
  CHECK(says("--ready", "after:TIME") == "not a time that ends, as in 250ms, 5s, 2min or 1h");
  CHECK(says("--ready", "after:infinity") == "not a time that ends, as in 250ms, 5s, 2min or 1h");
  CHECK(says("--ready-timeout", "soon") == no_time);
  CHECK(says("--ready-timeout", "0s") == "no candidate could be ready that soon");
  CHECK(says("--drain-timeout", "-1s") == no_time);
  CHECK(says("--stop-timeout", "5 parsecs") == no_time);
  CHECK(says("--restart-delay", "infinity") == "not a time that ends, as in 250ms, 5s, 2min or 1h");
  CHECK(says("--drain-signal", "TREM") == "no signal; did you mean 'TERM'?");
  CHECK(says("--drain-signal", "99") == "no signal, as in TERM, QUIT or RTMIN+1");
  CHECK(says("--drain-signal", "9") == "KILL cannot be caught, so no worker could finish anything");
  CHECK(says("--drain-signal", "STOP") == "STOP cannot be caught, so no worker could finish anything");
  CHECK(says("--restart", "sometimes") == "not always, on-failure or never");
  CHECK(says("--start-limit", "10") == "not N/TIME, as in 10/60s, with N between 0 and 1000000");
  CHECK(says("--start-limit", "10/0s") == "not N/TIME, as in 10/60s, with N between 0 and 1000000");
  CHECK(says("--start-limit", "x/60s") == "not N/TIME, as in 10/60s, with N between 0 and 1000000");
  CHECK(says("--env", "FOO") == "no NAME=VALUE");
  CHECK(says("--env", "=x") == "'' is no variable's name");
  CHECK(says("--umask", "0899") == "not an octal mask, as in 0027");
  CHECK(says("--umask", "7777") == "not an octal mask, as in 0027");
  CHECK(says("--rlimit", "nofile") == "not NAME=N or NAME=SOFT:HARD, as in nofile=65536");
  CHECK(says("--rlimit", "nofiles=1") == "unknown limit 'nofiles'; did you mean 'nofile'?");
  CHECK(says("--rlimit", "xyzzy=1").starts_with("unknown limit 'xyzzy', it is one of as, core, cpu"));
  CHECK(says("--rlimit", "nofile=many") == "'many' is no number, as in 1024, 8M or infinity");
  CHECK(says("--rlimit", "nofile=2:1") == "the soft limit is above the hard one");
  CHECK(says("--check", "./app 'x") == "a single quote (') is never closed");
  CHECK(says("--name", "a/b") == "a name cannot have a '/' in it");
  CHECK(says("--name", "..") == "a name cannot be '.' or '..'");
  CHECK(says("--control", "/" + std::string(107, 'x')) == "108 bytes long, a unix socket's path may have 107");
  CHECK(says("--stderr", "close") == "not watch or inherit");
  CHECK(says("--log-format", "jsn") == "not auto, text, json or journal; did you mean 'json'?");
  CHECK(says("--log-level", "trace") == "not error, warning, info or debug");
  CHECK(says("--config", "/nonexistent/app.conf") == "No such file or directory");
  CHECK(says("--config", "/") == "Is a directory");
  CHECK(says("--env-file", "/nonexistent/app.env") == "No such file or directory");
}

TEST_CASE("an empty value is refused where nothing could be meant by it") {
  CHECK(complaint({"--name", "", "app"}) == "--name : a name cannot be empty");
  CHECK(complaint({"--chdir", "", "app"}) == "--chdir : the path is empty");
  CHECK(complaint({"--user", "", "app"}) == "--user : it is empty");
}

TEST_CASE("a name is asked for where the command gives none") {
  CHECK(complaint({"/"}) == "the command '/' gives no name to this instance, give one with --name");
  CHECK(complaint({".."}) == "the command '..' gives no name to this instance, give one with --name");
  CHECK(load({"--name", "x", ".."}).name == "x");
}

TEST_CASE("one address cannot be listened on twice") {
  CHECK(complaint({"-l", "80", "-l", "tcp:*:80,name=x", "app"}) ==
        "--listen tcp:*:80,name=x: this address is listened on already (--listen 80)");
  CHECK(complaint({"-l", "80", "-l", "udp:80", "-l", "127.0.0.1:80", "app"}) == "none");
  CHECK(complaint({"-l", "127.0.0.1:0", "-l", "127.0.0.1:0", "app"}) == "none");
}

TEST_CASE("a candidate must be able to be ready in time") {
  CHECK(complaint({"--ready", "after:60s", "app"}) ==
        "--ready after:1min is not before --ready-timeout 30s, so no candidate would ever be ready");
  CHECK(complaint({"--ready", "after:60s", "--ready-timeout", "infinity", "app"}) == "none");
}

TEST_CASE("every mistake in a configuration file is named by file and line") {
  const WrittenFiles files;
  const auto config = files.path("app.conf");
  const auto says = [&](const std::string& text) {
    const auto line = complaint({"--config", files.write("app.conf", text)});
    CHECK(line.starts_with(config + ":"));
    return line.substr(std::min(line.size(), config.size() + 1));
  };
  CHECK(says("command = app\nlisen = 80\n") == "2: unknown option 'lisen'; did you mean 'listen'?");
  CHECK(says("xyzzy = 80\n") == "1: unknown option 'xyzzy'; see graced run --help");
  CHECK(says("--workers = 80\n").starts_with("1: unknown option '--workers'"));
  CHECK(says("help = 1\n").starts_with("1: unknown option 'help'"));
  CHECK(says("config = other.conf\n") == "1: config: one file cannot name another");
  CHECK(says("workers = 1\n\nworkers = 2\n") == "3: workers is set in line 1 already");
  CHECK(says("workers 1\n") == "1: 'workers 1' is no line like 'workers = 4'");
  CHECK(says("[run]\n") == "1: there are no sections here, leave out '[run]'");
  CHECK(says("listen = 80\nlisten = localhost\n") == "2: listen = localhost: no port, as in localhost:8080");
  CHECK(says("command = sh -c \"x\n") == "1: command = sh -c \"x: a double quote (\") is never closed");
  CHECK(says("command = sh -c 'x # y'\n") ==
        "1: command = sh -c 'x (here a comment begins): a single quote (') is never closed");
  CHECK(says("command =\n") == "1: command = : the command is empty");
}

TEST_CASE("a malformed environment file is named by its own file and line") {
  const WrittenFiles files;
  const auto env = files.write("app.env", "A=1\nB\n");
  CHECK(complaint({"--env-file", env, "app"}) == env + ":2: 'B' is no NAME=VALUE");
}

TEST_CASE("a quote left open in the environment is an error there") {
  CHECK(complaint({"app"}, {"GRACED_LISTEN=80 'x"}) ==
        "GRACED_LISTEN=80 'x: a single quote (') is never closed");
}

TEST_CASE("a complaint is one line, whatever it complains about") {
  CHECK(complaint({"--workers", "a\nb\x1b[31m", "app"}) ==
        "--workers a\\nb\\x1b[31m: not a number between 1 and 1024, nor auto");
  CHECK(complaint({"--a\nb", "app"}) == "unknown option '--a\\nb'; see graced run --help");
  CHECK(complaint({"--listen", "80,\n", "app"}).find('\n') == std::string::npos);
  CHECK(complaint({"--workers", std::string(100'000, 'x'), "app"}).size() < 300);
}

TEST_CASE("a complaint shows what turns a line around, and bytes that are no text, as escapes") {
  CHECK(complaint({"--a\u202ephp", "app"}) == "unknown option '--a\\u202ephp'; see graced run --help");
  CHECK(complaint({"--a\xff", "app"}) == "unknown option '--a\\xff'; see graced run --help");
  CHECK(complaint({"--a\u009b1m\tb", "app"}) == "unknown option '--a\\u009b1m\\tb'; see graced run --help");
  CHECK(one_line("größe", 3) == "grö…");
  CHECK(one_line("a\x1b[1m", 2) == "a\\x1b…");
}

TEST_CASE("whatever is typed, it is taken or refused in one line") {
  const Words pieces{"--",     "-",     "-l",  "-w", "--listen", "--ready=", "after:",   "1s", "80",
                     ",mode=", "unix:", "'",   "\"", "\\",       "=",        "\n",       " ",  "--env",
                     "A=",     "[",     "]",   ":",  "#",        "--rlimit", "nofile",   "-h", "--drain-signal",
                     "RTMIN+", "\xff",  "app", "/",  "@",        "--help",   "--workers"};
  std::mt19937 random{7};
  const auto any = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>{0, n - 1}(random); };

  for (int round = 0; round < 3000; ++round) {
    Words args(any(5));
    for (auto& word : args) {
      for (auto n = any(4) + 1; n > 0; --n) word += pieces[any(pieces.size())];
    }
    Words environment{"GRACED_LISTEN=" + pieces[any(pieces.size())] + pieces[any(pieces.size())]};
    const auto line = complaint(args, environment);
    CAPTURE(args);
    CHECK_FALSE(line.empty());
    CHECK(line.find('\n') == std::string::npos);
  }
}
