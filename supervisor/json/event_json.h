// What happened to an instance, as the JSON that programs read: the same object in a history, in the stream of
// `graced events` and on the standard input of a command of --on.
#pragma once

#include <string>
#include <vector>

#include "core/instance_event.h"

namespace graced {

// One object on one line, ASCII, with a newline at its end. What is not known is null.
std::string event_json(const InstanceEvent& event);

// An object with the instance's name and the events of it, indented, ends with a line feed. Bytes that are not
// UTF-8 become U+FFFD.
std::string history_json(const std::string& name, const std::vector<InstanceEvent>& events);

}  // namespace graced
