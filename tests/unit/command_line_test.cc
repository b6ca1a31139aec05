// Commands and their words: what is taken, and what is said when it is not.
#include "options/command_line.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "options/command_table.h"
#include "options/help.h"
#include "options/option_table.h"
#include "options/options.h"

using namespace graced;

namespace {

using Words = std::vector<std::string>;

template <class Command>
Command parsed(const Words& args, const Words& environment = {}) {
  const auto command = parse_command_line(args, environment);
  REQUIRE(std::holds_alternative<Command>(command));
  return std::get<Command>(command);
}

std::string complaint(const Words& args, const Words& environment = {}) {
  try {
    parse_command_line(args, environment);
  } catch (const UsageError& why) { return why.what(); }
  return "none";
}

const Target anybody{};
Target named(const std::string& name) {
  return {name, std::nullopt};
}
Target at(const std::string& control) {
  return {std::nullopt, control};
}

std::size_t letters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

TEST_CASE("run and check keep their words for later") {
  const auto run = parsed<RunCommand>({"run", "-l", "80", "./app", "--help"}).words;
  REQUIRE(run.options.size() == 1);
  CHECK(run.options[0].name == "listen");
  CHECK(run.options[0].value == "80");
  CHECK(run.rest == Words{"./app", "--help"});
  const auto check = parsed<CheckCommand>({"check", "--config", "x"}).words;
  REQUIRE(check.options.size() == 1);
  CHECK(check.options[0].name == "config");
  CHECK(check.options[0].value == "x");
}

TEST_CASE("the other commands say which instance and how patiently") {
  CHECK(parsed<ReloadCommand>({"reload"}).target == anybody);
  CHECK(parsed<ReloadCommand>({"reload"}).patience == Patience{});
  CHECK(parsed<ReloadCommand>({"reload", "app", "--wait", "5s"}).target == named("app"));
  CHECK(parsed<ReloadCommand>({"reload", "app", "--wait", "5s"}).patience == Patience{5s, false});
  CHECK(parsed<ReloadCommand>({"reload", "--wait=infinity", "app"}).patience == Patience{});
  CHECK(parsed<ReloadCommand>({"reload", "--no-wait"}).patience == Patience{std::nullopt, true});
  CHECK(parsed<StopCommand>({"stop", "--control", "/run/c", "--wait", "0"}).target == at("/run/c"));
  CHECK(parsed<StopCommand>({"stop", "--wait", "0"}).patience == Patience{0s, false});
  CHECK(parsed<StopCommand>({"stop", "--", "app"}).target == named("app"));
  CHECK(parsed<AbortCommand>({"abort", "app"}).target == named("app"));
  CHECK(parsed<HammerCommand>({"hammer", "app"}).target == named("app"));
  CHECK(parsed<StatusCommand>({"status", "--json", "app"}).view == StatusView::json);
  CHECK(parsed<StatusCommand>({"status", "--json", "app"}).targets == std::vector{named("app")});
  CHECK(parsed<StatusCommand>({"status"}).view == StatusView::text);
  CHECK(parsed<StatusCommand>({"status", "app", "--ready"}).view == StatusView::ready);
  CHECK(parsed<StatusCommand>({"status", "--alive"}).view == StatusView::alive);
  CHECK(parsed<HistoryCommand>({"history", "app"}).target == named("app"));
  CHECK_FALSE(parsed<HistoryCommand>({"history"}).json);
  CHECK_FALSE(parsed<HistoryCommand>({"history"}).last.has_value());
  CHECK(parsed<HistoryCommand>({"history", "--json", "-n", "5"}).json);
  CHECK(parsed<HistoryCommand>({"history", "--json", "-n", "5"}).last == 5U);
  CHECK(parsed<HistoryCommand>({"history", "-n5", "app"}).last == 5U);
  CHECK(parsed<EventsCommand>({"events"}).names.empty());
  CHECK(parsed<EventsCommand>({"events", "--until", "reloaded,gone", "a", "b"}).names ==
        std::vector<std::string>{"a", "b"});
  CHECK(parsed<EventsCommand>({"events", "--until", "reloaded,gone"}).until ==
        std::vector{InstanceEvent::Kind::reloaded, InstanceEvent::Kind::gone});
  CHECK(parsed<EventsCommand>({"events", "--timeout", "1min"}).timeout == 60s);
  CHECK_FALSE(parsed<EventsCommand>({"events", "--timeout", "infinity"}).timeout.has_value());
  CHECK(parsed<LogsCommand>({"logs", "app"}).target == named("app"));
  CHECK_FALSE(parsed<LogsCommand>({"logs"}).follow);
  CHECK_FALSE(parsed<LogsCommand>({"logs"}).last.has_value());
  CHECK(parsed<LogsCommand>({"logs", "app", "-f", "-n", "5"}).follow);
  CHECK(parsed<LogsCommand>({"logs", "-n5", "app", "--follow"}).last == 5U);
  CHECK(parsed<ListCommand>({"list", "--json"}).json);
  CHECK_FALSE(parsed<ListCommand>({"list"}).json);
}

TEST_CASE("status is told of several, each of them once") {
  CHECK(parsed<StatusCommand>({"status"}).targets == std::vector{anybody});
  CHECK(parsed<StatusCommand>({"status", "b", "--json", "a", "b"}).targets ==
        std::vector{named("b"), named("a")});
  CHECK(complaint({"status", "a", "b", "--control", "/c"}) ==
        "'a' and --control both say which instance, give one of them");
  CHECK(complaint({"status", "a", "b/c"}) == "NAME b/c: a name cannot have a '/' in it");
}

TEST_CASE("reload --all is for all of them, whatever the environment names") {
  CHECK_FALSE(parsed<ReloadCommand>({"reload"}).all);
  CHECK(parsed<ReloadCommand>({"reload", "--all"}, {"GRACED_NAME=env"}).all == ReloadAll{});
  const auto all =
      parsed<ReloadCommand>({"reload", "--all", "--jobs", "4", "--stop-at-first-failure", "--wait", "5s"});
  CHECK(all.all == ReloadAll{4, true});
  CHECK(all.patience == Patience{5s, false});
  CHECK(parsed<ReloadCommand>({"reload", "--all", "--no-wait"}).all == ReloadAll{});

  CHECK(complaint({"reload", "--all", "app"}) == "--all and 'app' both say which instance, give one of them");
  CHECK(complaint({"reload", "--all", "--control", "/c"}) ==
        "--all and --control both say which instance, give one of them");
  CHECK(complaint({"reload", "--jobs", "4"}) == "--jobs is for --all");
  CHECK(complaint({"reload", "app", "--stop-at-first-failure"}) == "--stop-at-first-failure is for --all");
  CHECK(complaint({"reload", "--all", "--jobs", "0"}) == "--jobs 0: not a number from 1 to 256");
  CHECK(complaint({"reload", "--all", "--jobs", "many"}) == "--jobs many: not a number from 1 to 256");
  CHECK(complaint({"reload", "--all", "--no-wait", "--jobs", "2"}) ==
        "--jobs waits for outcomes, --no-wait does not");
}

TEST_CASE("upgrade is for one, for all, or for those that have opted in") {
  const auto one =
      parsed<UpgradeCommand>({"upgrade", "app", "--binary", "/x/../new", "--check", "--wait", "5s"});
  CHECK(one.whom == UpgradeWhom::target);
  CHECK(one.target == named("app"));
  CHECK(one.binary == "/new");
  CHECK(one.check_only);
  CHECK(one.wait == 5s);
  const auto plain = parsed<UpgradeCommand>({"upgrade", "--wait", "infinity"}, {"GRACED_NAME=env"});
  CHECK(plain.target == named("env"));
  CHECK(plain.binary.empty());
  CHECK_FALSE(plain.check_only);
  CHECK_FALSE(plain.wait);
  CHECK(parsed<UpgradeCommand>({"upgrade", "--binary", "new"}).binary.starts_with('/'));
  CHECK(parsed<UpgradeCommand>({"upgrade", "--all"}, {"GRACED_NAME=env"}).whom == UpgradeWhom::all);
  CHECK(parsed<UpgradeCommand>({"upgrade", "--all", "--opted-in"}).whom == UpgradeWhom::opted_in);

  CHECK(complaint({"upgrade", "--opted-in"}) == "--opted-in is for --all");
  CHECK(complaint({"upgrade", "--all", "app"}) == "--all and 'app' both say which instance, give one of them");
  CHECK(complaint({"upgrade", "--all", "--control", "/c"}) ==
        "--all and --control both say which instance, give one of them");
  CHECK(complaint({"upgrade", "a", "b"}) == "upgrade takes one NAME, 'b' is one too many");
  CHECK(complaint({"upgrade", "--binary", ""}).starts_with("--binary"));
}

TEST_CASE("the environment says which instance where the words do not") {
  const Words name{"GRACED_NAME=env"};
  const Words both{"GRACED_NAME=env", "GRACED_CONTROL=/run/env"};
  CHECK(parsed<StopCommand>({"stop"}, name).target == named("env"));
  CHECK(parsed<StopCommand>({"stop"}, both).target == at("/run/env"));
  CHECK(parsed<StopCommand>({"stop", "app"}, both).target == named("app"));
  CHECK(parsed<StopCommand>({"stop", "--control", "/x"}, both).target == at("/x"));
  CHECK(parsed<StopCommand>({"stop"}, {"GRACED_NAME=", "GRACED_CONTROL="}).target == anybody);
}

TEST_CASE("top shows all instances unless one is named, and knows its keys") {
  CHECK(!parsed<TopCommand>({"top"}).target);
  CHECK(!parsed<TopCommand>({"top"}, {"GRACED_NAME=env", "GRACED_CONTROL=/run/env"}).target);
  CHECK(parsed<TopCommand>({"top"}).sort == TopSort::name);
  CHECK(parsed<TopCommand>({"top", "app"}).target == named("app"));
  CHECK(parsed<TopCommand>({"top", "--control", "/x"}).target == at("/x"));
  CHECK(parsed<TopCommand>({"top", "--sort", "memory"}).sort == TopSort::memory);
  CHECK(parsed<TopCommand>({"top", "--sort=cpu", "app"}).words == Words{"--sort=cpu", "app"});
  CHECK(complaint({"top", "--sort", "age"}) ==
        "--sort age: no such key, there are name, phase, connections, queue, cpu, memory, reloads");
  CHECK(complaint({"top", "a", "b"}) == "top takes one NAME, 'b' is one too many");
}

TEST_CASE("a command that is none is answered with the nearest one") {
  CHECK(complaint({"relaod"}) == "unknown command 'relaod'; did you mean 'reload'?");
  CHECK(complaint({"xyzzy"}) == "unknown command 'xyzzy'; see graced --help");
  CHECK(complaint({"help", "stats"}) == "unknown command 'stats'; did you mean 'status'?");
  CHECK(complaint({"./app"}) == "unknown command './app'; to run it: graced run -- ./app");
  CHECK(complaint({"-l", "80"}) == "'-l' comes before any command; to run a server: graced run -l …");
  CHECK(complaint({"ls"}) == "unknown command 'ls'; graced list shows what runs here");
  for (const char* word : {"ls", "ps", "restart", "start", "cancel", "kill"})
    CHECK(complaint({word}).starts_with(std::string("unknown command '") + word + "'; "));
  for (const char* word : {"-V", "--version", "version"}) parsed<VersionCommand>({word});
  CHECK(complaint({"restart"}).find("graced reload starts the next generation") != std::string::npos);
  CHECK(complaint({"a\nb"}) == "unknown command 'a\\nb'; see graced --help");
}

TEST_CASE("wrong words after a command are named") {
  CHECK(complaint({"stop", "a", "b"}) == "stop takes one NAME, 'b' is one too many");
  CHECK(complaint({"stop", "a", "--control", "/c"}) ==
        "'a' and --control both say which instance, give one of them");
  CHECK(complaint({"stop", "a/b"}) == "NAME a/b: a name cannot have a '/' in it");
  CHECK(complaint({"stop"}, {"GRACED_NAME=a/b"}) == "GRACED_NAME a/b: a name cannot have a '/' in it");
  CHECK(complaint({"stop", "--control", ""}) == "--control : the path is empty");
  CHECK(complaint({"stop", "--json"}) == "unknown option '--json'; see graced stop --help");
  CHECK(complaint({"status", "--alive", "--ready"}) == "--ready and --alive cannot both be told at once");
  CHECK(complaint({"status", "--jsn"}) == "unknown option '--jsn'; did you mean '--json'?");
  CHECK(complaint({"reload", "--wait"}) == "--wait needs a value: --wait TIME");
  CHECK(complaint({"reload", "--wait", "soon"}) ==
        "--wait soon: not a time, as in 250ms, 5s, 2min, 1h or infinity");
  CHECK(complaint({"reload", "--wait", "1", "--wait", "2"}) == "--wait is given twice");
  CHECK(complaint({"reload", "--wait", "1", "--no-wait"}) == "--wait and --no-wait contradict each other");
  CHECK(complaint({"events", "--until", "reladed"}) ==
        "--until reladed: no event is called 'reladed'; did you mean 'reloaded'?");
  CHECK(complaint({"events", "a", "--control", "/x"}).starts_with("'a' and --control both say"));
  CHECK(complaint({"history", "-n", "0"}).starts_with("--last 0: "));
  CHECK(complaint({"history", "-n", "some"}).starts_with("--last some: "));
  CHECK(complaint({"history", "-n", "1", "--last", "2"}) == "--last is given twice");
  CHECK(complaint({"list", "app"}) == "list takes no NAME; for one instance: graced status app");
}

TEST_CASE("what is wrong after run is told with what is wrong in its file") {
  const auto words = parsed<RunCommand>({"run", "--workers=", "--lisen", "80", "--wat", "app"}).words;
  REQUIRE(words.wrong.size() == 2);
  CHECK(words.wrong[0].why == "--workers needs a value: --workers N|auto");
  CHECK(words.wrong[1].why == "unknown option '--lisen'; did you mean '--listen'?");
  CHECK(words.cut_short);
}

TEST_CASE("the version is asked for before a command or among its options") {
  parsed<VersionCommand>({"--version"});
  parsed<VersionCommand>({"run", "--version"});
  parsed<RunCommand>({"run", "app", "--version"});
}

TEST_CASE("nothing at all is answered with the overview") {
  const auto overview = parsed<HelpCommand>({}).text;
  for (const Words& args : {Words{"help"}, Words{"--help"}, Words{"-h"}, Words{"help", "help"}}) {
    CHECK(parsed<HelpCommand>(args).text == overview);
  }
  for (const auto& command : command_table()) {
    CAPTURE(command.name);
    CHECK(overview.find("\n  " + std::string{command.name} + " ") != std::string::npos);
  }
}

TEST_CASE("each command explains itself, its options and its defaults") {
  for (const auto& command : command_table()) {
    const std::string name{command.name};
    CAPTURE(name);
    const auto text = parsed<HelpCommand>({"help", name}).text;
    CHECK(text.starts_with("graced " + name + " "));
    CHECK(parsed<HelpCommand>({name, "--help"}).text == text);
    CHECK(parsed<HelpCommand>({name, "-h"}).text == text);
    CHECK(parsed<HelpCommand>({"--help", name}).text == text);
    for (const auto& word : words_of(command)) {
      CHECK(text.find("--" + std::string{word.name}) != std::string::npos);
    }
  }
  const auto run = parsed<HelpCommand>({"help", "run"}).text;
  CHECK(run.find("-w, --workers N|auto") != std::string::npos);
  CHECK(run.find("(default: 30s)") != std::string::npos);
  CHECK(run.find("--command") == std::string::npos);
}

TEST_CASE("help fits the terminal and has no blanks at line ends") {
  for (const std::size_t columns : {72u, 80u, 100u}) {
    CAPTURE(columns);
    Words texts{help_text(columns)};
    for (const auto& command : command_table()) texts.push_back(help_text(command, columns));
    for (const auto& text : texts) {
      std::istringstream lines{text};
      for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        CHECK(letters(line) <= columns);
        CHECK_FALSE(line.ends_with(' '));
      }
      CHECK(text.ends_with('\n'));
    }
  }
}

TEST_CASE("help is as wide as COLUMNS or the terminal says, within reason, and 80 columns where neither does") {
  CHECK(help_columns("", 0) == 80);
  CHECK(help_columns("", 93) == 93);
  CHECK(help_columns("", 250) == 100);
  CHECK(help_columns("", 7) == 40);
  CHECK(help_columns("90", 200) == 90);
  CHECK(help_columns("120", 0) == 100);
  for (const char* nonsense : {"0", "wide", "-3", "90x", "99999999999999999999999"})
    CHECK(help_columns(nonsense, 72) == 72);
  CHECK(parsed<HelpCommand>({}, {"COLUMNS=60"}).text == help_text(60));
  CHECK(parsed<HelpCommand>({"run", "--help"}, {"COLUMNS=60"}).text == help_text(*find_command("run"), 60));
}

TEST_CASE("an example in the help is one that works") {
  for (const auto& command : command_table()) {
    for (const auto& example : command.examples) {
      CAPTURE(example.line);
      std::istringstream line{std::string{example.line}};
      Words words;
      for (std::string word; line >> word;) words.push_back(word);
      REQUIRE(words.size() >= 2);
      CHECK(words[0] == "graced");
      CHECK(complaint({words.begin() + 1, words.end()}) == "none");
    }
  }
}
