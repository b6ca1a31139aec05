// What happened to an instance: one vocabulary and one record for all who are told of it, which are the
// history, the commands of --on, and who follows `graced events`.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace graced {

// Who wanted what happened.
struct Asker {
  std::string how{};     // "start", of graced itself; "signal", "control"; "crash", of a worker; "probe",
                         // that failed; "graced", by itself; empty: nobody
  std::string signal{};  // "SIGHUP"
  std::optional<std::uint32_t> user{};  // none: not known
  std::int32_t pid = 0;                 // 0: not known, or of another PID namespace
  std::string program{};                // what the process is called; may be empty
};

// How long a generation took; none: that was not, or was not reached.
struct Stages {
  std::optional<Duration> prepare{};  // options read, addresses bound
  std::optional<Duration> check{};    // --check
  std::optional<Duration> start{};    // until all workers were ready
  std::optional<Duration> probe{};    // --probe
  std::optional<Duration> canary{};   // --canary
};

struct InstanceEvent {
  enum class Kind {
    // These are remembered, and --on may name them.
    serving,             // a generation serves where none did: at the start, and after a time without one
    reloaded,            // a new generation serves
    reload_failed,       // the generation before goes on
    promoted,            // it has stood its probation
    rolled_back,         // it has not: the generation before serves again
    replaced,            // its probe has failed: another one of the same serves
    replacement_failed,  // that goes on all the same
    taken,               // a server that ran before graced has got its successor
    upgraded,            // another graced has taken the place of this one, in the same process
    upgrade_failed,      // this one goes on
    crashed,             // a worker of the serving generation ended by itself
    hammered,            // workers were killed
    gave_up,             // graced ends with another status than 0
    stopping,            // graced ends with status 0

    // And these are told to who follows, and no more.
    preparing,  // a generation begins: its options are read, its addresses bound
    checking,   // --check looks at it
    starting,   // its workers are started
    ready,      // they are ready
    probing,    // --probe looks at it
    canary,     // it gets a share of the new connections: a step of --canary
    draining,   // it gets no new connections, and leaves
    gone,       // it has left
    degraded,   // fewer workers serve than were asked for
    down,       // nobody serves
    recovered,  // after `degraded`: all of them serve

    // As the asking end sees it, where it follows an instance.
    instance_found,  // it runs, and is followed from here on
    instance_gone,   // it runs no more
    events_missed,   // they were not read in time, so some are missing

    other,  // of a later version
  };

  Kind kind;
  std::string other_word{};  // of `other`
  std::string name{};        // of the instance
  std::chrono::system_clock::time_point at{};
  Instant monotonic{};
  std::optional<std::uint64_t> generation{};  // whom it is about
  std::optional<std::uint64_t> serving{};     // who serves from then on
  Asker by{};
  bool ok = true;
  std::optional<Duration> took{};  // of a generation, from when it began until it served or failed
  Stages stages{};
  std::optional<std::uint32_t> worker{};     // its slot, 0…N-1
  std::optional<std::int32_t> worker_pid{};  // none as well if it was never started
  std::optional<std::int32_t> status{};      // it exited with
  std::string signal{};                      // "SIGSEGV": that killed it
  std::optional<Duration> lived{};           // it did
  std::uint32_t killed = 0;                  // workers
  std::uint32_t per_mille = 0;               // of new connections, of `canary`; 0: it is none
  std::string
      reason{};  // of what went wrong, then last words, a line each; may be empty, and have anything in it
};

std::string_view to_text(InstanceEvent::Kind kind);  // "reload-failed"
std::string_view word_of(const InstanceEvent& event);

// All but `other`, as they are written, in the order above; and those that are remembered.
std::span<const std::string_view> instance_event_kinds();
std::span<const std::string_view> remembered_event_kinds();
std::optional<InstanceEvent::Kind> instance_event_kind(std::string_view text);
bool is_remembered(InstanceEvent::Kind kind);

// Its first line, and the last words below it.
std::string_view reason_line(const InstanceEvent& event);
std::vector<std::string> last_lines(const InstanceEvent& event);

// NAME=VALUE each: GRACED_EVENT, GRACED_EVENT_TIME, GRACED_GENERATION, GRACED_SERVING, GRACED_REASON. What is
// not known is empty. A reason is safe to show, but for its newlines, and cut where it is longer than 4096
// bytes.
std::vector<std::string> variables_of(const InstanceEvent& event);

}  // namespace graced
