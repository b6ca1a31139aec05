#include "linux/control/history_wire.h"

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
  if (result < 0) throw sys_error_of(result, "carry the history");
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

void append(sd_bus_message* m, const HistoryEntry& e) {
  must(sd_bus_message_append(
      m, history_signature + 1, to_utf8(e.event).c_str(), to_wire(e.at.time_since_epoch()),
      to_wire(e.monotonic.time_since_epoch()), e.generation, e.now_serving, to_utf8(e.by.how).c_str(),
      to_utf8(e.by.signal).c_str(), e.by.user.value_or(no_number), e.by.pid, to_utf8(e.by.program).c_str(),
      to_wire(e.took), to_wire(e.stages.prepare), to_wire(e.stages.check), to_wire(e.stages.start),
      to_wire(e.stages.probe), to_wire(e.stages.canary), e.ok ? 1 : 0, e.slot.value_or(no_number), e.pid,
      e.status.value_or(no_status), to_utf8(e.signal).c_str(), to_wire(e.lived), e.killed,
      to_utf8(e.why).c_str()));
}

HistoryEntry read(sd_bus_message* m) {
  const char* event = nullptr;
  const char* how = nullptr;
  const char* by_signal = nullptr;
  const char* program = nullptr;
  const char* signal = nullptr;
  const char* why = nullptr;
  std::uint64_t at = 0, monotonic = 0, took = 0, prepare = 0, check = 0, start = 0, probe = 0, canary = 0,
                lived = 0;
  std::uint32_t user = 0, slot = 0;
  std::int32_t status = 0;
  int ok = 0;
  HistoryEntry e;
  must(sd_bus_message_read(m, history_signature + 1, &event, &at, &monotonic, &e.generation, &e.now_serving,
                           &how, &by_signal, &user, &e.by.pid, &program, &took, &prepare, &check, &start,
                           &probe, &canary, &ok, &slot, &e.pid, &status, &signal, &lived, &e.killed, &why));
  e.event = event;
  e.at += std::chrono::duration_cast<std::chrono::system_clock::duration>(from_wire(at).value_or(0s));
  e.monotonic += from_wire(monotonic).value_or(0s);
  e.by.how = how;
  e.by.signal = by_signal;
  if (user != no_number) e.by.user = user;
  e.by.program = program;
  e.took = from_wire(took);
  e.stages = {from_wire(prepare), from_wire(check), from_wire(start), from_wire(probe), from_wire(canary)};
  e.ok = ok != 0;
  if (slot != no_number) e.slot = slot;
  if (status != no_status) e.status = status;
  e.signal = signal;
  e.lived = from_wire(lived);
  e.why = why;
  return e;
}

}  // namespace

void append_history(sd_bus_message* message, const std::vector<HistoryEntry>& entries) {
  must(sd_bus_message_open_container(message, 'a', history_signature + 1));
  for (const HistoryEntry& e : entries) append(message, e);
  must(sd_bus_message_close_container(message));
}

std::vector<HistoryEntry> read_history(sd_bus_message* message) {
  std::vector<HistoryEntry> entries;
  must(sd_bus_message_enter_container(message, 'a', history_signature + 1));
  while (must(sd_bus_message_at_end(message, 0)) == 0) entries.push_back(read(message));
  must(sd_bus_message_exit_container(message));
  return entries;
}

}  // namespace graced::control
