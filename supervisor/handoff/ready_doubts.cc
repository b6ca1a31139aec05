// What keeps a worker from being taken for ready, told to a person.
#include "handoff/ready_doubts.h"

#include <fmt/format.h>

#include <utility>

#include "core/printable.h"
#include "handoff/ready_watch.h"
#include "linux/proc/look_rights.h"
#include "linux/proc/process.h"

namespace graced {

std::string listed(const std::vector<std::string>& addresses) {
  constexpr std::size_t most = 4;
  if (addresses.size() <= most) return fmt::format("{}", fmt::join(addresses, ", "));
  return fmt::format("{} and {} others", fmt::join(addresses.begin(), addresses.begin() + most, ", "),
                     addresses.size() - most);
}

// Why the sockets that were passed are not what it is ready on, whatever it says; empty: they may be. Who has
// them and is not the one that LISTEN_PID names must not use them.
std::string ReadyWatch::not_its_sockets(const Watched& w, const Attendance::Seen& seen) const {
  if (w.worker.passed.empty() || seen.any_of_passed || seen.hidden || !w.said) return "";
  const pid_t pid = w.worker.pid;
  const pid_t sender = w.said->sender;
  const std::string named =
      fmt::format("LISTEN_PID names {}: let that one be the server, by exec", text_of_process(pid));
  if (!attendance_.has_passed(w.worker))
    return fmt::format("READY=1, but no process of the worker has the sockets that were passed; {}", named);
  // One that has said what it had to say and is gone spoke for somebody else.
  if (sender == pid || rest_of(sender) == Rest::exiting) return "";
  return fmt::format(
      "READY=1 from {}, but nobody of the worker's waits for connections on the sockets that were "
      "passed; "
      "{}",
      text_of_process(sender), named);
}

void ReadyWatch::note_hidden(const Watched& w, pid_t hidden) {
  if (std::exchange(noted_hidden_, true)) return;
  callbacks_.note(
      w.worker.id,
      fmt::format("process {} ({}) of it cannot be looked into, so nobody knows whether it waits for "
                  "connections: it is taken for ready without ({})",
                  hidden, printable(name_of(hidden)), why_no_look(look_rights())));
}

std::string ReadyWatch::waits_for(WorkerId worker) {
  Watched* w = find(worker);
  if (!w || w->rule == ReadyRule::after) return "";
  const bool word_decides = w->rule != ReadyRule::listen;
  if (w->said && w->rule == ReadyRule::automatic) {
    const Attendance::Seen seen = attendance_.look(w->worker);
    if (std::string why = not_its_sockets(*w, seen); !why.empty()) return why;
    if (!seen.all())
      return fmt::format(
          "READY=1, but nobody is seen waiting for connections on {} (--ready notify believes the word "
          "alone)",
          listed(seen.unattended));
  }
  if (w->said && word_decides) return "";
  if (!w->expected) {
    return w->rule == ReadyRule::notify ? "no READY=1 from the worker, which --ready notify waits for"
                                        : "no READY=1 from the worker, which the generation before has said "
                                          "(--ready listen does without)";
  }
  if (std::string bound = handoff_.waits_for(worker); !bound.empty()) return bound;
  if (const std::string missing = handoff_.missing(worker); !missing.empty()) return missing + lets_it_go;
  const Attendance::Seen seen = attendance_.look(w->worker, word_decides);
  if (seen.all()) return "";
  const bool passed = !w->worker.passed.empty() && !seen.any_of_passed;
  if (passed) {
    std::vector<std::string> its_own;
    for (const AdoptedSocket& s : handoff_.sockets_of(worker)) {
      if (s.listening && !s.predeclared) its_own.push_back(s.address);
    }
    if (!its_own.empty())
      return fmt::format(
          "nobody is seen waiting for connections on {}: it listens on {} (it gets what --listen opens only "
          "where it binds the same address)",
          listed(seen.unattended), listed(its_own));
    const bool wraps = !children_of(w->worker.pid).empty();
    return fmt::format("nobody is seen waiting for connections on {}{}", listed(seen.unattended),
                       wraps ? fmt::format(" (LISTEN_PID names {} alone: let that one be the server, by exec)",
                                           text_of_process(w->worker.pid))
                             : " (--ready after:TIME does without)");
  }
  return fmt::format(
      "it listens on {}, but nobody is seen waiting for connections there (--ready listen takes listening "
      "alone for "
      "ready)",
      listed(seen.unattended));
}

}  // namespace graced
