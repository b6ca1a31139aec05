// What happened to an instance as the control socket carries it; both its ends use this.
#pragma once

#include <cstdint>
#include <vector>

#include "core/instance_event.h"
#include "core/time.h"
#include "linux/base/systemd.h"

namespace graced::control {

// An event: its word; wall clock and CLOCK_MONOTONIC, generation, and who serves; who asked: how, signal, user,
// PID, program; how long all of it took, to prepare, to check, to start, to probe, as a canary; ok; the worker:
// slot, PID, exit status, signal, life, and how many were killed; the share of new connections, of a thousand;
// the reason, and last words below it. Times are microseconds. What is not known is 0, -1 for an exit status,
// "", or the greatest number for a time, a user and a slot.
inline constexpr const char* events_since_signature = "ba(stttt(ssuis)(tttttt)b(uiistu)us)";
inline constexpr const char* events_signature = events_since_signature + 1;
inline constexpr const char* event_signature = events_signature + 1;

// All of them throw std::system_error. The instance's name is not carried.
void append_event(sd_bus_message* message, const InstanceEvent& event);
InstanceEvent read_event(sd_bus_message* message);
void append_events(sd_bus_message* message, const std::vector<InstanceEvent>& events);
std::vector<InstanceEvent> read_events(sd_bus_message* message);
// An instant as it is carried; one that nothing can hold is the beginning of time.
std::uint64_t wire_of(Instant at);
Instant instant_of(std::uint64_t wire);
// Whether events come next as they are carried here; another version may carry them otherwise.
bool holds_events(sd_bus_message* message);

}  // namespace graced::control
