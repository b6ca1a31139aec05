// One instance that is followed: what happens to it, as it comes. It goes on when it is told to, and nobody is
// waited for.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/instance_event.h"
#include "linux/base/bus.h"
#include "linux/base/fd.h"

namespace graced {

class ControlSubscription {
 public:
  enum class State {
    asking,
    following,
    absent,       // nobody is there, or it ended before it said hello
    gone,         // it was followed, and has ended
    moved,        // it was followed, and goes on as another image: to be asked again at once
    hung_up,      // it is there, and has hung up: it has too many clients, or was not read in time
    not_offered,  // it is of a version that tells no events, or others
  };

  // since: what the instance remembers from after then, by CLOCK_MONOTONIC, comes first. again: it was followed
  // until then and has moved, so that nothing else may be missing either. Throws std::runtime_error if there is
  // no libsystemd.
  ControlSubscription(std::string path, Instant since, bool again = false);
  ControlSubscription(const ControlSubscription&) = delete;
  ControlSubscription& operator=(const ControlSubscription&) = delete;

  // To be called when watched() has something.
  void advance();
  pollfd watched() const;  // fd -1: nothing

  State state() const { return state_; }
  const std::string& name() const { return name_; }   // once it is followed
  std::uint64_t serving() const { return serving_; }  // generation, when that began; 0: none
  // What has come since the last time, with its name; nothing before it is known what came before that.
  std::vector<InstanceEvent> take();
  // Whether that is known; all since it was begun has come then.
  bool is_complete() const { return complete_; }
  Instant begun() const { return begun_; }
  // `again`, and something is missing before what take() gives. Told once.
  bool take_missed() { return std::exchange(misses_some_, false); }

 private:
  void begin();
  bool ask(const char* method, const char* types, const void* value, sd_bus_message_handler_t answered);
  bool ask_what_was();
  void ended();
  void read_answers();
  void keep(std::vector<InstanceEvent> remembered);
  static int on_message(sd_bus_message*, void* self, sd_bus_error*) noexcept;
  static int on_subscribed(sd_bus_message*, void* self, sd_bus_error*) noexcept;
  static int on_history(sd_bus_message*, void* self, sd_bus_error*) noexcept;

  std::string path_;
  Instant since_;
  bool again_;
  Instant begun_;  // before it has subscribed
  Fd process_;     // a pidfd of graced
  State state_ = State::asking;
  bool moves_ = false;     // it has said so
  bool complete_ = false;  // what came before is known
  bool misses_some_ = false;
  std::string name_;
  std::uint64_t serving_ = 0;
  std::vector<InstanceEvent> events_;
  BusMessage subscribed_;  // the answers, until they are read
  BusMessage history_;
  Bus bus_;
};

}  // namespace graced
