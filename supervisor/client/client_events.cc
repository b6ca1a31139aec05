// `graced events`: a line for each thing that happens, at once, also into a pipe.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/event_text.h"
#include "client/outcome.h"
#include "core/printable.h"
#include "json/event_json.h"
#include "linux/control/control_follower.h"

namespace graced {
namespace {

std::string in_words(const std::vector<InstanceEvent::Kind>& kinds) {
  std::string text;
  for (const InstanceEvent::Kind kind : kinds)
    text += fmt::format("{}{}", text.empty() ? "" : " or ", to_text(kind));
  return text;
}

}  // namespace

int client_events(const EventsCommand& command, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Instant began = std::chrono::steady_clock::now();
    const Instant deadline = command.timeout ? after(began, *command.timeout) : no_deadline;
    ControlFollower follower{terminal.places, {command.names, command.control}, began};
    for (;;) {
      const std::vector<InstanceEvent> events = follower.wait(deadline, terminal.out);
      for (const std::string& name : follower.take_silent())
        fmt::print(terminal.err,
                   "graced: '{}' tells no events that can be read here: it runs another version\n",
                   printable(name));
      for (const InstanceEvent& event : events) {
        fmt::print(terminal.out, "{}",
                   command.json ? event_json(event)
                                : event_text(event, printable(event.name) + ": ", terminal.colour));
        std::fflush(terminal.out);
        if (std::ranges::find(command.until, event.kind) != command.until.end()) return exit_status::done;
      }
      if (!follower.is_read()) return exit_status::done;
      if (std::chrono::steady_clock::now() < deadline) continue;
      if (command.until.empty()) return exit_status::done;
      fmt::print(terminal.err, "graced: no {} within {}\n", in_words(command.until), to_text(*command.timeout));
      return exit_status::failed;
    }
  });
}

}  // namespace graced
