// The table, and where `run` takes its words from.
#include "options/command_table.h"

#include <algorithm>

#include "options/option_table.h"

namespace graced {

namespace {

constexpr WordOption help{"help", 'h', "", "this help"};
constexpr WordOption control{"control", 0, "PATH", "the instance's control socket, instead of its NAME"};
constexpr WordOption json{"json", 0, "", "for programs"};
constexpr WordOption ready{"ready", 0, "", "exit status 0 if workers serve, 1 if not: for probes"};
constexpr WordOption alive{"alive", 0, "",
                           "exit status 0 if graced answers, whatever its workers do: for probes"};
constexpr WordOption last{"last", 'n', "N", "only the last N"};
constexpr WordOption until{"until", 0, "EVENT[,EVENT…]", "end with the first of these: exit status 0"};
constexpr WordOption timeout{"timeout", 0, "TIME", "end after this: exit status 1 if --until has not come"};
constexpr WordOption follow{"follow", 'f', "", "then what comes, until it ends"};
constexpr WordOption wait{"wait", 0, "TIME", "wait no longer than this: exit status 4"};
constexpr WordOption settled{"settled", 0, "", "wait until its probation is over as well"};
constexpr WordOption no_wait{"no-wait", 0, "", "ask and do not wait for the outcome"};
constexpr WordOption sort{"sort", 0, "KEY",
                          "name, phase, connections, queue, cpu, memory or reloads (default: name)"};
constexpr WordOption all{"all", 0, "", "all instances that run here"};
constexpr WordOption binary{"binary", 0, "PATH",
                            "the file that takes over, as the instance sees it (default: where its own lay)"};
constexpr WordOption try_only{"check", 0, "", "only say whether it could"};
constexpr WordOption opted_in{"opted-in", 0, "", "with --all, those with --self-upgrade; the others are named"};
constexpr WordOption jobs{"jobs", 0, "N", "with --all, so many at a time (default: 1)"};
constexpr WordOption stop_at_first_failure{"stop-at-first-failure", 0, "",
                                           "with --all, begin no other one once one has failed"};

}  // namespace

std::span<const CommandRow> command_table() {
  static const std::vector<CommandRow> table{
      {CommandKind::run,
       "run",
       "[OPTIONS] [--] COMMAND [ARG…]",
       "run COMMAND under a PID that never changes",
       "Starts COMMAND and keeps it running. SIGHUP or graced reload starts its next generation beside it, "
       "waits "
       "until that is ready and then lets the old one finish; if it does not get ready, nothing has changed. "
       "SIGTERM or graced stop lets all finish and ends.\n"
       "Options end at COMMAND: what follows belongs to it. Each of them can also be a line NAME = VALUE of a "
       "--config file (and COMMAND a line command = …) or a variable GRACED_NAME in the environment. The "
       "command "
       "line counts more than the environment, the environment more than the file.\n"
       "TIME is 250ms, 5s, 2min, 1h or infinity; a bare number is seconds.\n"
       "Exit status: 0 stopped as asked, 1 could not start or gave up, 2 wrong usage; with --restart never the "
       "worker's own.",
       {{"graced run -l 8080 -- ./app", "bind port 8080, pass it on as LISTEN_FDS"},
        {"graced run -l 80,name=http -w auto ./app --fd {fd:http}",
         "a worker for each CPU, the socket by number"},
        {"graced run --config /etc/graced/app.conf", "everything from a file"}},
       {}},
      {CommandKind::check,
       "check",
       "[OPTIONS] [--] [COMMAND [ARG…]]",
       "say what run would do with these options",
       "Reads the options of graced run from the command line, the environment and the --config file, and "
       "prints "
       "each value and where it was said, then what this machine offers of adoption and switched handoff, "
       "which "
       "it tries for a moment. What run would refuse is told, all of it, in the order in which it was said: "
       "wrong values, and what is not here (the command, a directory, a user, a host). Nobody can connect "
       "meanwhile, and no worker runs.\n"
       "Exit status: 0 run would start, 1 something is not here, 2 the options are wrong, or ask by name for "
       "what cannot be had.",
       {{"graced check --config /etc/graced/app.conf", "before a reload"}},
       {}},
      {CommandKind::reload,
       "reload",
       "[NAME | --all] [--settled] [--wait TIME | --no-wait]",
       "start the next generation, let the old one finish",
       "Waits until the next generation serves; with --settled until the probation is over that it has with "
       "--probation. NAME may be left out where one instance runs. --all reloads one after the other, or "
       "--jobs at a time, and tells the outcome of each on one line; --wait is for each.\n"
       "Exit status: 0 it serves, 1 it failed or was rolled back and the old one still serves, 2 wrong usage, "
       "3 no such instance, 4 gave up waiting. With --all: 0 all serve, 1 one has failed, 3 none runs, 4 none "
       "has failed, but it gave up waiting for one.",
       {{"graced reload", "the only instance there is"},
        {"graced reload app --wait 1min", "the one called app"},
        {"graced reload --all --jobs 4", "everything that runs here"}},
       {control, settled, all, jobs, stop_at_first_failure, wait, no_wait, help}},
      {CommandKind::rollback,
       "rollback",
       "[NAME]",
       "back to the generation that stands by",
       "While a generation is on probation (--probation TIME of graced run) the one before stands by. New "
       "connections go back to it at once, no process is started, and the one that served finishes those it "
       "has. "
       "A reload that runs is ended. NAME may be left out where one instance runs.\n"
       "Exit status: 0 rolled back, 1 none stands by, 2 wrong usage, 3 no such instance.",
       {{"graced rollback app", "the generation before serves again"}},
       {control, help}},
      {CommandKind::abort,
       "abort",
       "[NAME]",
       "end a reload that runs, the old generation stays",
       "The next generation is thrown away, whether it is prepared, checked or started, and whoever waits for "
       "it "
       "is told that the reload was aborted, and by whom. A reload that was asked for meanwhile is next. NAME "
       "may be "
       "left out where one instance runs.\n"
       "Exit status: 0 aborted, 1 nothing to abort or failed, 2 wrong usage, 3 no such instance.",
       {{"graced abort app", "the old generation goes on serving"}},
       {control, help}},
      {CommandKind::stop,
       "stop",
       "[NAME] [--wait TIME | --no-wait]",
       "let everything finish, then end",
       "Waits until graced has ended. Asked a second time it does not wait for its workers. NAME may be left "
       "out "
       "where one instance runs.\n"
       "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such instance, 4 gave up waiting.",
       {{"graced stop app", "gracefully"}},
       {control, wait, no_wait, help}},
      {CommandKind::upgrade,
       "upgrade",
       "[NAME | --all] [--binary PATH] [--check] [--wait TIME]",
       "have the graced that is installed now take over",
       "It takes the place of the graced that runs, in the same process, and nothing else changes: not the "
       "PID, "
       "the workers, their connections or addresses, nor what status and history tell. It is tried before; "
       "where "
       "it cannot take over, the one that ran goes on. While a candidate starts it waits. NAME may be left out "
       "where one instance runs. See graced-upgrade(7).\n"
       "Exit status: 0 it has taken over, or with --check it could; 1 it could not, 2 wrong usage, 3 no such "
       "instance, 4 gave up waiting. With --all: 0 all were upgraded, 1 one could not be, 3 none runs, 4 none "
       "has "
       "failed, but it gave up waiting for one; with --opted-in 0 also if none runs.",
       {{"graced upgrade shop --check", "could it?"},
        {"graced upgrade shop", "after the package was upgraded"},
        {"graced upgrade --all", "everything that runs here"}},
       {control, all, opted_in, binary, try_only, wait, help}},
      {CommandKind::hammer,
       "hammer",
       "[NAME]",
       "kill what is still draining",
       "Does now what the drain timeout would do later. The serving generation is not touched. NAME may be "
       "left "
       "out where one instance runs.\n"
       "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such instance.",
       {{"graced hammer app", "do not wait for old connections any longer"}},
       {control, help}},
      {CommandKind::status,
       "status",
       "[NAME…] [--json | --ready | --alive]",
       "who serves, who drains, what happened last",
       "NAME may be left out where one instance runs. With --ready and --alive a line tells why. Several are "
       "asked at once; their --json is a list.\n"
       "Exit status: 0 told, or yes; 1 failed, or not ready; 2 wrong usage, 3 no such instance, 4 it does not "
       "answer; of several the highest.",
       {{"graced status", "for people"},
        {"graced status app --json", "for programs"},
        {"graced status app --ready", "for a readiness probe"}},
       {control, json, ready, alive, help}},
      {CommandKind::history,
       "history",
       "[NAME] [--json] [-n N]",
       "what has happened, when, and who asked for it",
       "Starts, reloads, failed reloads, crashes, workers that were killed and stops, the oldest first: the "
       "last 64 "
       "since this graced was started. NAME may be left out where one instance runs.\n"
       "Exit status: 0 told, 1 failed, 2 wrong usage, 3 no such instance, 4 it does not answer.",
       {{"graced history app -n 5", "the last five"}, {"graced history app --json", "for programs"}},
       {control, json, last, help}},
      {CommandKind::events,
       "events",
       "[NAME…] [--json] [--until EVENT] [--timeout TIME]",
       "what happens, as it happens",
       "A line for each thing that happens in all instances that run here, or in those that are named: what "
       "history tells, and each step of a reload. Instances that are started later are found, and one that "
       "ends "
       "and comes again is followed again. It goes on until Ctrl-C.\n"
       "Exit status: 0 EVENT has come, or TIME is over and none was waited for; 1 TIME is over; 2 wrong usage.",
       {{"graced events", "all that happens here"},
        {"graced events app --until reloaded,reload-failed --timeout 1min", "wait for the end of a reload"},
        {"graced events --json", "for programs, an object on each line"}},
       {control, json, until, timeout, help}},
      {CommandKind::logs,
       "logs",
       "[NAME] [-f] [-n N]",
       "what its workers have written, and write",
       "With --output prefix of graced run: the last 256 KiB of each generation that lives, and of the last "
       "that "
       "failed, each line with its time, generation, worker and PID. Where graced writes to the journal it "
       "tells the "
       "journalctl command for it, and runs that with -f. For root and graced's own user. NAME may be left out "
       "where "
       "one instance runs.\n"
       "Exit status: 0 told, 1 failed or nothing is kept, 2 wrong usage, 3 no such instance, 4 it does not "
       "answer.",
       {{"graced logs app -n 20", "the last twenty lines"}, {"graced logs app -f", "all, and what comes"}},
       {control, follow, last, help}},
      {CommandKind::list,
       "list",
       "[--json]",
       "instances that run here",
       "Name, phase, generation and for how long it serves, workers (ready/asked where they are too few), "
       "draining workers, what came last (a reload, or how a worker ended), for how long graced runs, and "
       "addresses, as far as the terminal has room. "
       "One that does not answer is silent, and does not hold up the others.\n"
       "Exit status: 0 told, 2 wrong usage.",
       {{"graced list", "names to use with the other commands"}},
       {json, help}},
      {CommandKind::top,
       "top",
       "[NAME] [--sort KEY]",
       "all instances on the terminal, again each second",
       "Phase, generation, workers, connections, accept queue and its limit, processor time, memory, reloads "
       "and "
       "what came last for each, as far as the terminal has room. Enter opens one, or NAME does at once: "
       "generations, workers, what they still finish, history and last words. ? tells the keys, q ends it.\n"
       "This is a program of its own, graced-top, in a package of that name.\n"
       "Exit status: 0 ended by q, 1 no terminal, or graced-top is not installed; 2 wrong usage, 3 no such "
       "instance.",
       {{"graced top", "everything that runs here"},
        {"graced top app", "the one called app"},
        {"graced top --sort cpu", "who takes most of the processors first"}},
       {control, sort, help}},
  };
  return table;
}

const CommandRow* find_command(std::string_view name) {
  const auto table = command_table();
  const auto at = std::ranges::find(table, name, &CommandRow::name);
  return at == table.end() ? nullptr : &*at;
}

std::span<const WordOption> words_of(const CommandRow& command) {
  return command.words.empty() ? run_words() : std::span<const WordOption>{command.words};
}

}  // namespace graced
