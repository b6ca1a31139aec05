// A candidate whose workers are all ready is looked at from outside: it serves once every probe has passed.
// Where a probe asks for that, the generation that serves is looked at as well, for as long as it does. The
// looks themselves are others' work; here is when each one is due, and what follows from what they saw.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/members.h"
#include "core/time.h"

namespace graced {

// How one probe looks, and what it takes to pass.
struct ProbeRule {
  std::string what;                         // it does, for messages: "GET http://127.0.0.1:8080/healthz"
  Duration start_delay = 0s;                // before the first look
  Duration interval = 1s;                   // from what one look saw to the next look
  unsigned passes = 1;                      // in a row, at least 1: it has passed
  unsigned fails = 3;                       // in a row, at least 1: who is looked at has failed
  std::optional<Duration> while_serving{};  // as interval, of who serves; none: it is not looked at

  friend bool operator==(const ProbeRule&, const ProbeRule&) = default;
};

// What a probe has seen so far.
struct ProbeStatus {
  std::string what;
  unsigned passes = 0;  // in a row
  unsigned fails = 0;   // in a row
  bool passed = false;  // it is over
  std::string saw{};    // at the last look, if that failed
};

class Probing {
 public:
  // Probes are numbered as these are. patience: for all of them.
  Probing(const std::vector<ProbeRule>& rules, Duration patience, Instant now);
  // Of who serves, by those that ask for it. There is no end to it.
  static Probing while_serving(const std::vector<ProbeRule>& rules, Instant now);

  // Who looks now. Each of them is then waited for, until passed() or failed() is said of it.
  std::vector<unsigned> due(Instant now);

  void passed(unsigned probe, Instant now);
  // What it saw. The result, if any: why the candidate has failed.
  std::optional<std::string> failed(unsigned probe, const std::string& saw, Instant now);

  // Nothing that was seen before counts any more; who waits for a look goes on waiting.
  void begin_anew(Instant now);

  bool all_passed() const;
  bool any() const;  // there is a probe that looks again
  std::optional<std::string> failure()
      const;  // of the first probe that has failed, in a row, as often as it may
  // Why the candidate has failed by then, if it has.
  std::optional<std::string> late(Instant now) const;

  Instant deadline() const { return deadline_; }  // of all of them
  Instant next() const;                           // when to ask who is due, or late
  std::vector<ProbeStatus> status() const;

 private:
  template <class>
  friend struct Members;
  struct Course {
    ProbeRule rule;
    Instant next{};
    bool looks = false;
    bool endless = false;  // however often it passes
    ProbeStatus status;
  };
  Probing() = default;
  Course* looking(unsigned probe);                   // null: nobody waits for it
  static std::string text_of(const Course& course);  // what it has seen, and how often

  Duration patience_ = infinity;
  Instant deadline_ = no_deadline;
  std::vector<Course> probes_;
};

}  // namespace graced
