// All that is wrong with a start, in the order in which it was said.
#include "options/complaints.h"

#include <doctest/doctest.h>

#include "options/read_options.h"
#include "written_files.h"

using namespace graced;

namespace {

using Lines = std::vector<std::string>;

Lines told(const std::vector<std::string>& args, const std::vector<std::string>& environment = {}) {
  try {
    load_run_options(args, environment);
  } catch (const UsageError& why) { return why.lines(); }
  return {};
}

}  // namespace

TEST_CASE("every line that is wrong is told, in the file's order, and not the first one alone") {
  const WrittenFiles files;
  const auto config = files.write("app.conf",
                                  "workers = lots\n[section]\nlisten = 80\nwrokers = 2\nready-timeout = soon\n"
                                  "listen = 80\nworkers = 3\ncommand = ./app\n");
  CHECK(told({"--config", config}) ==
        Lines{config + ":1: workers = lots: not a number between 1 and 1024, nor auto",
              config + ":2: there are no sections here, leave out '[section]'",
              config + ":4: unknown option 'wrokers'; did you mean 'workers'?",
              config + ":5: ready-timeout = soon: not a time, as in 250ms, 5s, 2min, 1h or infinity",
              config + ":6: listen = 80: this address is listened on already (" + config + ":3: listen = 80)",
              config + ":7: workers is set in line 1 already"});
}

TEST_CASE("the command line comes before the environment, and that before the file") {
  const WrittenFiles files;
  const auto config = files.write("app.conf", "umask = 9\n");
  CHECK(told({"--config", config, "--restart", "maybe", "-w", "1", "-w", "2", "app"},
             {"GRACED_DRAIN=slowly", "GRACED_STDERR=eat"})
            .size() == 5);
  const auto lines = told({"--config", config, "--restart", "maybe", "-w", "1", "-w", "2", "app"},
                          {"GRACED_DRAIN=slowly", "GRACED_STDERR=eat"});
  CHECK(lines[0].starts_with("--restart maybe"));
  CHECK(lines[1] == "--workers is given twice");
  CHECK(lines[2].starts_with("GRACED_DRAIN=slowly"));
  CHECK(lines[3].starts_with("GRACED_STDERR=eat"));
  CHECK(lines[4].starts_with(config + ":1: umask = 9"));
}

TEST_CASE("an environment file tells all its lines, where it was named") {
  const WrittenFiles files;
  const auto env = files.write("env", "A=1\nnonsense\nexport B=2\nC=3\nD='open\n");
  const auto config = files.write("app.conf", "workers = 0\nenv-file = " + env + "\ndrain = slowly\n");
  const auto lines = told({"--config", config, "app"});
  REQUIRE(lines.size() == 5);
  CHECK(lines[1] == env + ":2: 'nonsense' is no NAME=VALUE");
  CHECK(lines[2] == env + ":3: leave out 'export': this is no shell script");
  CHECK(lines[3] == env + ":5: a single quote (') is never closed");
  CHECK(lines[4].starts_with(config + ":3: drain = slowly"));
}

TEST_CASE("no command is not complained of where a line that is wrong may be the one") {
  const WrittenFiles files;
  CHECK(told({"--config", files.write("a", "comand = ./app\n")}).size() == 1);
  CHECK(told({"--config", files.write("b", "workers = 2\n")}).size() == 1);
}

TEST_CASE("a reload that fails tells the first mistake, and how many more there are") {
  CHECK(std::string(UsageError(Lines{"a:1: this", "a:2: that"}).what()) ==
        "a:1: this (and 1 more, graced check tells all)");
}
