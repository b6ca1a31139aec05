// The whole command line: which command it is, and that command's own words.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/instance_event.h"
#include "core/time.h"
#include "options/option_words.h"
#include "options/top_sort.h"

namespace graced {

// Which instance is meant. Nothing at all: the only one that runs. Never both.
struct Target {
  std::optional<std::string> name;
  std::optional<std::string> control;  // path of its control socket

  friend bool operator==(const Target&, const Target&) = default;
};

// How long to wait for the outcome.
struct Patience {
  std::optional<Duration> wait;  // --wait; none: as long as it takes
  bool no_wait = false;          // --no-wait: it was asked, that is all

  friend bool operator==(const Patience&, const Patience&) = default;
};

// One of these, by what was asked for. The words of the first two are for load_run_options().
struct RunCommand {
  ParsedWords words;
};
struct CheckCommand {
  ParsedWords words;
};
// What `reload --all` is to do.
struct ReloadAll {
  std::size_t at_once = 1;             // --jobs
  bool stop_at_first_failure = false;  // the next ones are not begun

  friend bool operator==(const ReloadAll&, const ReloadAll&) = default;
};

struct ReloadCommand {
  Target target;
  Patience patience;
  bool settled = false;            // --settled
  std::optional<ReloadAll> all{};  // instead of the target
};
struct RollbackCommand {
  Target target;
};
struct AbortCommand {
  Target target;
};
struct StopCommand {
  Target target;
  Patience patience;
};
// What `upgrade` is to do.
enum class UpgradeWhom {
  target,
  all,
  opted_in,  // of all those with --self-upgrade; of the others it is told that they are not
};
struct UpgradeCommand {
  UpgradeWhom whom = UpgradeWhom::target;
  Target target{};
  std::string binary{};     // absolute path of the file that takes over; empty: where the instance's own lay
  bool check_only = false;  // it is tried, and does not take over
  std::optional<Duration> wait{};  // none: as long as it takes
};
struct HammerCommand {
  Target target;
};
// What `status` is to tell: all of it, for people or for programs, or yes or no.
enum class StatusView { text, json, ready, alive };

struct StatusCommand {
  std::vector<Target> targets;  // one at least
  StatusView view = StatusView::text;
};
struct HistoryCommand {
  Target target;
  bool json = false;
  std::optional<unsigned> last{};  // how many; none: all that are remembered
};
struct EventsCommand {
  std::vector<std::string> names{};      // empty: all that run here
  std::optional<std::string> control{};  // path of a control socket, instead
  bool json = false;
  std::vector<InstanceEvent::Kind> until{};  // the first of these ends it; empty: none does
  std::optional<Duration> timeout{};
};
struct LogsCommand {
  Target target;
  bool follow = false;
  std::optional<unsigned> last{};  // how many; none: all that are kept
};
struct ListCommand {
  bool json = false;
};
struct TopCommand {
  std::optional<Target> target{};  // that is opened; none: all are shown
  TopSort sort = TopSort::name;
  std::vector<std::string> words{};  // as they were given, for the program that carries it out
};
struct HelpCommand {
  std::string text;  // to be printed as it is
};
struct VersionCommand {};

using ParsedCommand =
    std::variant<RunCommand, CheckCommand, ReloadCommand, RollbackCommand, AbortCommand, StopCommand,
                 UpgradeCommand, HammerCommand, StatusCommand, HistoryCommand, EventsCommand, LogsCommand,
                 ListCommand, TopCommand, HelpCommand, VersionCommand>;

// args: without the program's name. environment: "NAME=VALUE" each; GRACED_CONTROL and GRACED_NAME
// say which instance where the words do not, COLUMNS how wide help may be. terminal: its columns, 0 where there
// is none or it is not known. Throws UsageError.
ParsedCommand parse_command_line(const std::vector<std::string>& args,
                                 const std::vector<std::string>& environment, std::size_t terminal = 0);

}  // namespace graced
