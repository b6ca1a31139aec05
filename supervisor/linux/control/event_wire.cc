#include "linux/control/event_wire.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "linux/base/sys_error.h"
#include "linux/control/control_wire.h"

namespace graced::control {

namespace {

using std::chrono::microseconds;

constexpr std::uint64_t no_time = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t no_number = std::numeric_limits<std::uint32_t>::max();
constexpr std::int32_t no_status = -1;

int must(int result) {
  if (result < 0) throw sys_error_of(result, "carry what happened");
  return result;
}

template <class SomeDuration>
std::uint64_t to_wire(SomeDuration d) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::chrono::floor<microseconds>(d).count()));
}

std::uint64_t to_wire(const std::optional<Duration>& d) {
  return d ? to_wire(*d) : no_time;
}

// Whoever is at the other end says what it likes: what no duration can hold is none.
std::optional<Duration> from_wire(std::uint64_t us) {
  constexpr auto most = static_cast<std::uint64_t>(infinity.count() / 1000);
  if (us > most) return std::nullopt;
  return microseconds(static_cast<std::int64_t>(us));
}

// Of a later version there may be others.
void set_kind(InstanceEvent& e, const char* word) {
  e.kind = instance_event_kind(word).value_or(InstanceEvent::Kind::other);
  if (e.kind == InstanceEvent::Kind::other) e.other_word = word;
}

template <class Number>
std::optional<Number> unless(Number none, Number number) {
  return number != none ? std::optional(number) : std::nullopt;
}

}  // namespace

void append_event(sd_bus_message* m, const InstanceEvent& e) {
  must(sd_bus_message_append(
      m, event_signature, to_utf8(word_of(e)).c_str(), to_wire(e.at.time_since_epoch()), wire_of(e.monotonic),
      e.generation.value_or(0), e.serving.value_or(0), to_utf8(e.by.how).c_str(), to_utf8(e.by.signal).c_str(),
      e.by.user.value_or(no_number), e.by.pid, to_utf8(e.by.program).c_str(), to_wire(e.took),
      to_wire(e.stages.prepare), to_wire(e.stages.check), to_wire(e.stages.start), to_wire(e.stages.probe),
      to_wire(e.stages.canary), e.ok ? 1 : 0, e.worker.value_or(no_number), e.worker_pid.value_or(0),
      e.status.value_or(no_status), to_utf8(e.signal).c_str(), to_wire(e.lived), e.killed, e.per_mille,
      to_utf8(e.reason).c_str()));
}

InstanceEvent read_event(sd_bus_message* m) {
  const char* word = nullptr;
  const char* how = nullptr;
  const char* by_signal = nullptr;
  const char* program = nullptr;
  const char* signal = nullptr;
  const char* reason = nullptr;
  std::uint64_t at = 0, monotonic = 0, generation = 0, serving = 0;
  std::uint64_t took = 0, prepare = 0, check = 0, start = 0, probe = 0, canary = 0, lived = 0;
  std::uint32_t user = 0, slot = 0;
  std::int32_t pid = 0, status = 0;
  int ok = 0;
  InstanceEvent e{};
  must(sd_bus_message_read(m, event_signature, &word, &at, &monotonic, &generation, &serving, &how, &by_signal,
                           &user, &e.by.pid, &program, &took, &prepare, &check, &start, &probe, &canary, &ok,
                           &slot, &pid, &status, &signal, &lived, &e.killed, &e.per_mille, &reason));
  set_kind(e, word);
  e.at += std::chrono::duration_cast<std::chrono::system_clock::duration>(from_wire(at).value_or(0s));
  e.monotonic = instant_of(monotonic);
  e.generation = unless<std::uint64_t>(0, generation);
  e.serving = unless<std::uint64_t>(0, serving);
  e.by.how = how;
  e.by.signal = by_signal;
  e.by.user = unless(no_number, user);
  e.by.program = program;
  e.took = from_wire(took);
  e.stages = {from_wire(prepare), from_wire(check), from_wire(start), from_wire(probe), from_wire(canary)};
  e.ok = ok != 0;
  e.worker = unless(no_number, slot);
  e.worker_pid = unless(0, pid);
  e.status = unless(no_status, status);
  e.signal = signal;
  e.lived = from_wire(lived);
  e.reason = reason;
  return e;
}

std::uint64_t wire_of(Instant at) {
  return to_wire(at.time_since_epoch());
}

Instant instant_of(std::uint64_t wire) {
  return Instant{from_wire(wire).value_or(0s)};
}

void append_events(sd_bus_message* message, const std::vector<InstanceEvent>& events) {
  must(sd_bus_message_open_container(message, 'a', event_signature));
  for (const InstanceEvent& e : events) append_event(message, e);
  must(sd_bus_message_close_container(message));
}

bool holds_events(sd_bus_message* message) {
  return sd_bus_message_verify_type(message, 'a', event_signature) > 0;
}

std::vector<InstanceEvent> read_events(sd_bus_message* message) {
  std::vector<InstanceEvent> events;
  must(sd_bus_message_enter_container(message, 'a', event_signature));
  while (must(sd_bus_message_at_end(message, 0)) == 0) events.push_back(read_event(message));
  must(sd_bus_message_exit_container(message));
  return events;
}

}  // namespace graced::control
