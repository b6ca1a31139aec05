// `graced reload --all`: one line for each instance, as the outcomes come.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "client/choice.h"
#include "client/client.h"
#include "client/outcome.h"
#include "core/printable.h"
#include "linux/control/control_round.h"

namespace graced {
namespace {

// How each of them is called in its line: where two have one name, by its place as well.
std::vector<std::string> names_of(const std::vector<Found>& found, const std::vector<std::string>& paths) {
  const std::vector<ControlAnswer> answers = ask_all(paths, greeting, Stragglers::leave);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < found.size(); ++i)
    names.push_back(answers[i].report.name.empty() ? found[i].name : answers[i].report.name);
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool alone = std::ranges::count(names, names[i]) == 1;
    shown.push_back(printable(alone ? names[i] : fmt::format("{} at {}", names[i], paths[i])));
  }
  return shown;
}

// Of one whose reload failed; empty if it does not say.
std::string who_serves_now(const std::string& path) {
  const ControlAnswer now = ask_all({path}, greeting, Stragglers::wait_for).front();
  return now.reply.outcome == ControlOutcome::ok ? "; " + who_serves_text(now.report) : "";
}

enum class Came { serves, failed, gave_up, ended };

class Telling {
 public:
  Telling(std::vector<std::string> names, bool waited, const Terminal& terminal)
      : names_(std::move(names)), told_(names_.size()), waited_(waited), terminal_(terminal) {}

  Came tell(std::size_t index, const std::string& path, const ControlAnswer& answer) {
    const std::string& who = names_[index];
    told_[index] = true;
    const Came came = came_of(answer);
    switch (came) {
      case Came::serves:
        say(waited_ ? fmt::format("{}: generation {} serves", who, answer.reply.generation)
                    : fmt::format("{}: reload asked for", who));
        break;
      case Came::failed:
        complain(failure(who, path, answer.reply));
        if (first_failed_.empty()) first_failed_ = who;
        break;
      case Came::gave_up:
        complain(!answer.reached ? no_word(who, answer)
                                 : fmt::format("gave up waiting for the reload of '{}', which goes on", who));
        if (first_failed_.empty()) first_failed_ = who;
        break;
      case Came::ended:
        complain(fmt::format("'{}' has just ended", who));
        break;
    }
    ++count_[static_cast<std::size_t>(came)];
    return came;
  }

  void tell_the_rest() {
    for (std::size_t i = 0; i < names_.size(); ++i)
      if (!told_[i]) complain(fmt::format("'{}' is not reloaded, for '{}' was not", names_[i], first_failed_));
  }

  int status() const {
    const auto any = [this](Came came) { return count_[static_cast<std::size_t>(came)] > 0; };
    if (any(Came::failed)) return exit_status::failed;
    if (any(Came::gave_up)) return exit_status::gave_up_waiting;
    return any(Came::serves) ? exit_status::done : exit_status::no_instance;
  }

 private:
  static Came came_of(const ControlAnswer& answer) {
    switch (answer.reply.outcome) {
      case ControlOutcome::ok:
        return Came::serves;
      case ControlOutcome::timed_out:
        return Came::gave_up;
      case ControlOutcome::gone:
        return answer.reached ? Came::failed : answer.turned_away ? Came::gave_up : Came::ended;
      case ControlOutcome::failed:
      case ControlOutcome::denied:
        return Came::failed;
    }
    return Came::failed;
  }

  static std::string no_word(const std::string& who, const ControlAnswer& answer) {
    return answer.turned_away ? hung_up_text(who) : fmt::format("{} does not answer", who);
  }

  static std::string failure(const std::string& who, const std::string& path, const ControlReply& reply) {
    if (reply.outcome == ControlOutcome::gone)
      return fmt::format("reload of '{}' failed: graced ended before it answered", who);
    const std::string why = printable(without_last_words(reply.why));
    if (reply.outcome == ControlOutcome::denied) return fmt::format("reload of '{}' refused: {}", who, why);
    return fmt::format("reload of '{}' failed: {}{}", who, why, who_serves_now(path));
  }

  // At once, also into a pipe, and in this order where both go to one place.
  void say(const std::string& line) const {
    fmt::print(terminal_.out, "{}\n", line);
    std::fflush(terminal_.out);
  }
  void complain(const std::string& line) const { fmt::print(terminal_.err, "graced: {}\n", line); }

  std::vector<std::string> names_;
  std::vector<bool> told_;
  bool waited_;
  const Terminal& terminal_;
  std::string first_failed_;
  std::size_t count_[4]{};  // by Came
};

}  // namespace

int client_reload_all(const ReloadAll& all, std::optional<Duration> limit, const Terminal& terminal) {
  return answered(terminal, [&] {
    const std::vector<Found> found = running(terminal.places);
    if (found.empty()) throw nobody_runs(terminal.places);
    std::vector<std::string> paths;
    for (const Found& f : found) paths.push_back(f.control);
    Telling telling(names_of(found, paths), limit.has_value(), terminal);
    reload_each(paths, all.at_once, limit, [&](std::size_t index, const ControlAnswer& answer) {
      const Came came = telling.tell(index, paths[index], answer);
      return !all.stop_at_first_failure || came == Came::serves || came == Came::ended;
    });
    telling.tell_the_rest();
    return telling.status();
  });
}

}  // namespace graced
