// A story told to the core: events happen, time passes, and what it decided is looked at. The clock
// is moved, never waited for.
#pragma once

#include <doctest/doctest.h>

#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "core/supervisor.h"

namespace graced {

template <class Tag>
std::ostream& operator<<(std::ostream& out, Id<Tag> id) {
  return out << '#' << id.value;
}

std::string describe(const Event& event);
std::string describe(const Action& action);

template <class T>
std::vector<T> only(const std::vector<Action>& actions) {
  std::vector<T> found;
  for (const Action& action : actions) {
    if (const T* it = std::get_if<T>(&action)) found.push_back(*it);
  }
  return found;
}

// The one action of its kind that there must be.
template <class T>
T the(const std::vector<Action>& actions) {
  const std::vector<T> found = only<T>(actions);
  REQUIRE(found.size() == 1);
  return found.front();
}

template <class T>
bool none(const std::vector<Action>& actions) {
  return only<T>(actions).empty();
}

struct Story {
  explicit Story(const Policy& first = {});

  Supervisor supervisor;
  Policy policy;  // what prepared() brings along if it is not told otherwise
  Instant now{1h};
  std::vector<Action> last;   // what followed from the last thing told, but for…
  std::vector<Lost> lost;     // …these, which follow the end of every worker
  std::vector<Spawn> spawns;  // all of them, oldest first
  GenerationId preparing;     // the newest generation

  void happens(const Event& event);
  // Says TimePassed at each deadline on the way, the last instant included; `last` has all that followed.
  void passes(Duration d);

  void prepared();
  void prepared(const Policy& with);
  void candidate_becomes_ready();  // all of it, by READY=1 or else by listening
  void reloads(RequestId by = nobody);
  void reloads(const Policy& with, RequestId by = nobody);
  void exits(WorkerId worker, int status = 1);
  void everybody_exits();
  void everybody_exits_but(const std::vector<WorkerId>& staying);

  WorkerId newest(unsigned slot = 0) const;  // the last one started there
  std::string state(WorkerId worker) const;  // or "gone"
  Instant deadline(WorkerId worker) const;
  Instant last_call(WorkerId worker) const;
  Instant killed_at(WorkerId worker) const;
  WorkerStatus status(WorkerId worker) const;  // it must be there
  std::string phase() const;
  std::vector<WorkerId> serving() const;  // of the serving generation: starting or ready
  GenerationId serving_generation() const;
};

// The first start is over and generation 1 serves; it said READY=1 where that was heard.
Story serving(const Policy& policy = {});

}  // namespace graced
