// What happened to an instance, as a sentence for people.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/instance_event.h"

namespace graced {

// "2026-11-29 20:03:08", as clocks on the wall have it here.
std::string local_time_text(std::chrono::system_clock::time_point at);

// "generation 2 failed after 1s (prepare 250ms, start 750ms): exited with status 1; asked by SIGHUP of bash,
// PID 812, root". On one line, safe to show, without the instance's name and its last words.
std::string event_sentence(const InstanceEvent& event);

// The same after its time, and after `who`, on a line; its last words on lines below it. colour: for a terminal
// that wants it.
std::string event_text(const InstanceEvent& event, std::string_view who, bool colour);

}  // namespace graced
