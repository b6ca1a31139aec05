// The history as the control socket carries it; both its ends use this.
#pragma once

#include <vector>

#include "core/history.h"
#include "linux/base/systemd.h"

namespace graced::control {

// An entry: event; wall clock and CLOCK_MONOTONIC, generation, and who serves; who asked: how, signal, user,
// PID, program; how long all of it took, to prepare, to check, to start, to probe; ok; the worker: slot, PID,
// exit status, signal, life, and how many were killed; why. Times are microseconds. What is not known is 0, -1
// for an exit status, "", or the greatest number for a time, a user and a slot.
inline constexpr const char* history_signature = "a(stttt(ssuis)(tttttt)b(uiistu)s)";

// Both throw std::system_error.
void append_history(sd_bus_message* message, const std::vector<HistoryEntry>& entries);
std::vector<HistoryEntry> read_history(sd_bus_message* message);

}  // namespace graced::control
