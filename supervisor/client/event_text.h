// What happened to an instance, as a sentence for people.
#pragma once

#include <chrono>
#include <string>

#include "core/instance_event.h"

namespace graced {

// "2026-11-29 20:03:08", as clocks on the wall have it here.
std::string local_time_text(std::chrono::system_clock::time_point at);

// "generation 2 failed after 1s (prepare 250ms, start 750ms): exited with status 1; asked by SIGHUP of bash,
// PID 812, root". On one line, safe to show, without the instance's name and its last words.
std::string event_sentence(const InstanceEvent& event);

}  // namespace graced
