// What `graced check` prints, to the letter.
#include "options/check_view.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace graced;

namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::string checked(const std::vector<std::string>& args, const std::vector<std::string>& environment = {}) {
  std::vector<Setting> settings;
  const auto options = load_run_options(args, environment, &settings);
  return check_text(options, settings);
}

}  // namespace

TEST_CASE("what was said stands first, with its origin, in columns") {
  const auto text = checked({"-l", "8080", "-l", "unix:/run/a.sock", "./app"},
                            {"GRACED_DRAIN_TIMEOUT=2m", "GRACED_WORKERS=3"});
  CHECK(text.starts_with("app: the options are good\n\n"));
  CHECK(has_line(text, "  command               ./app             command line"));
  CHECK(has_line(text, "  listen                8080              command line"));
  CHECK(has_line(text, "                        unix:/run/a.sock  command line"));
  CHECK(has_line(text, "  workers               3                 GRACED_WORKERS"));
  CHECK(has_line(text, "  drain-timeout         2min              GRACED_DRAIN_TIMEOUT"));
  CHECK(text.find("drain-timeout") < text.find("\ndefaults\n"));
}

TEST_CASE("what nobody said stands below, with what it is") {
  const auto text = checked({"./app"});
  const auto defaults = text.substr(text.find("\ndefaults\n"));
  CHECK(has_line(defaults, "  ready-timeout         30s"));
  CHECK(has_line(defaults, "  start-limit           10/5min"));
  CHECK(has_line(defaults, "  listen                none"));
  CHECK(has_line(defaults, "  name                  app"));
  CHECK(has_line(defaults, "  chdir                 graced's own"));
}

TEST_CASE("what auto came to is told") {
  const auto options = load_run_options({"-w", "auto", "./app"}, {});
  CHECK(checked({"-w", "auto", "./app"}).find(std::to_string(options.policy.workers) + " (auto)") !=
        std::string::npos);
}

TEST_CASE("a value does not break its line, and a long one does not push the others away") {
  const auto text = checked({"--env", "A=1\n2", "-w", "2", "./app", std::string(90, 'x')});
  CHECK(text.find("A=1\\n2") != std::string::npos);
  CHECK(has_line(text, "  workers               2       command line"));
}

TEST_CASE("what is odd is noted at the end") {
  const auto text = checked({"./app"}, {"GRACED_WORKER_COUNT=1"});
  CHECK(text.ends_with("\nnote: GRACED_WORKER_COUNT in the environment is no option\n"));
}
